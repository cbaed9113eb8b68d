"""params.yaml, typed. No default lives here: a missing or unknown key stops the run with the key's name."""

import difflib
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from tasks.errors import UserError

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]


class Section(BaseModel):
    """A block of params.yaml: frozen, strictly typed, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


SectionT = TypeVar("SectionT", bound=Section)


class Splits(Section):
    train: Annotated[list[str], Field(min_length=1)]
    validation: list[str]
    test: list[str]


class Preprocess(Section):
    on_defect: Literal["stop", "skip"]
    validation_fraction: Annotated[float, Field(gt=0, lt=1)]
    test_fraction: Annotated[float, Field(gt=0, lt=1)]


class Lora(Section):
    rank: Natural
    alpha: Positive
    dropout: Fraction
    targets: Annotated[list[str], Field(min_length=1)]


class Finetune(Section):
    model: str
    revision: str
    epochs: Positive
    batch_size: Positive
    micro_batch_size: Natural
    processes: Positive
    optimizer: Literal["adamw", "adafactor", "sgd"]
    learning_rate: Annotated[float, Field(gt=0)]
    schedule: Literal["linear", "cosine", "constant"]
    weight_decay: Annotated[float, Field(ge=0)]
    warmup_ratio: Fraction
    max_gradient_norm: Annotated[float, Field(gt=0)]
    max_length: Annotated[int, Field(ge=8)]
    window_overlap: Annotated[int, Field(ge=0)]
    dropout: Fraction
    attention_dropout: Fraction
    features: Literal["last", "mean_last_4", "frozen"]
    head: Literal["linear", "mlp", "crf"]
    lora: Lora
    class_weights: Literal["none", "balanced", "square_root"]
    frozen_layers: Natural
    layer_decay: Annotated[float, Field(gt=0, le=1)]
    patience: Natural
    minimum_gain: Fraction
    train_share: Annotated[float, Field(gt=0, le=1)]
    max_steps: Natural
    max_minutes: Annotated[float, Field(ge=0)]


class Compute(Section):
    device: Literal["auto", "cpu", "cuda", "mps"]
    precision: Literal["auto", "bf16", "fp32"]
    deterministic: bool
    threads: Positive


class CheckpointParams(Section):
    every_seconds: Annotated[float, Field(ge=0)]
    every_steps: Annotated[int, Field(ge=0)]


class Evaluate(Section):
    batch_size: Positive
    invariance_sentences: Natural
    suspect_confidence: Fraction
    neighbours: Natural
    neighbour_rows: Positive


class Report(Section):
    worst_mistakes: Annotated[int, Field(ge=0)]
    show_text: bool
    license: Annotated[str, Field(min_length=1)]


class Export(Section):
    int8: bool
    loss: Fraction
    loss_few: Fraction
    many: Natural


class Diff(Section):
    relevant: Annotated[float, Field(gt=0, le=1)]
    resamples: Annotated[int, Field(ge=1000)]


class Gate(Section):
    minimum: Fraction
    no_loss: bool
    types: dict[str, Fraction]
    slices: dict[str, Fraction]


class Watch(Section):
    window_hours: Annotated[float, Field(gt=0)]
    minimum: Positive
    level: Annotated[float, Field(gt=0, lt=1)]
    shift: Fraction
    surge: Annotated[float, Field(ge=1)]


class Goal(Section):
    metric: str
    value: Annotated[float, Field(ge=0)]
    slice: str
    budget_hours: Annotated[float, Field(ge=0)]


class Range(Section):
    param: str
    low: int | float
    high: int | float
    scale: Literal["linear", "log"]


class Choices(Section):
    param: str
    choices: Annotated[list[Any], Field(min_length=2)]


Dimension = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Choices, Tag("choices")],
    Discriminator(lambda value: "choices" if isinstance(value, Choices) or "choices" in dict(value) else "range"),
]


class Sweep(Section):
    space: Annotated[list[Dimension], Field(min_length=1)]
    trials: Positive
    hours: Annotated[float, Field(ge=0)]
    random_share: Fraction
    pruner: Literal["none", "median", "hyperband"]
    prune_after: Positive
    confirm_seeds: Natural
    storage: str


class Choice(Section):
    param: str
    off: Any


class Ablate(Section):
    seeds: Positive
    choices: Annotated[list[Choice], Field(min_length=1)]


class Curve(Section):
    shares: Annotated[list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=4)]
    seeds: Positive


class Scratch(Section):
    """The part ``scratch`` of a task that writes texts: what ``finetune.model: scratch`` builds."""

    vocabulary: Annotated[int, Field(ge=300)]
    width: Annotated[int, Field(ge=8)]
    layers: Positive
    heads: Positive


class Generation(Section):
    """The part ``generation`` of a task that writes texts: how it writes them, on validation too."""

    max_new_tokens: Positive
    beams: Positive
    length_penalty: float
    no_repeat_ngram: Natural


class Schedule(Section):
    remote: str
    source: Annotated[str, Field(min_length=1)]
    live: Annotated[str, Field(min_length=1)]
    branch: Annotated[str, Field(min_length=1)]
    least_data: Fraction
    pull_request: bool


class Params(Section):
    """All of params.yaml. ``options`` is the block of the active adapter, whose type only the adapter knows."""

    task: str
    dataset: str
    splits: Splits
    seed: Annotated[int, Field(ge=0)]
    preprocess: Preprocess
    finetune: Finetune
    compute: Compute
    checkpoints: CheckpointParams
    evaluate: Evaluate
    report: Report
    export: Export
    diff: Diff
    gate: Gate
    keep_models: Natural
    goal: Goal
    sweep: Sweep
    ablate: Ablate
    curve: Curve
    watch: Watch
    schedule: Schedule
    options: dict[str, Any]


ADAPTERS = Path(__file__).parent / "adapters"


def tasks_available() -> list[str]:
    """Names of the adapters, which are the files of tasks/adapters/."""
    return sorted(path.stem for path in ADAPTERS.glob("*.py") if path.stem != "__init__")


def load(path: Path) -> Params:
    """Read and check params.yaml.

    Raises:
        UserError: missing file, YAML error, unknown or missing key, wrong type or range, unknown task; names the key.
    """
    return checked(read_yaml(path), path)


def checked(values: dict[str, Any], path: Path) -> Params:
    """The same for values that are read already; ``path`` is only named in errors."""
    values = dict(values)
    tasks = tasks_available()
    blocks = {name: values.pop(name) for name in tasks if name in values}
    task = values.get("task")
    if isinstance(task, str):
        if task not in tasks:
            raise UserError(f"{path}: task: {task!r} is unknown; there are: {', '.join(tasks)}{_close(task, tasks)}")
        if not isinstance(blocks.get(task), dict):
            raise UserError(f"{path}: the block '{task}:' of the task is missing; CONTRIBUTING.md shows one")
        values["options"] = blocks[task]
    params = check(Params, values, path)
    refuse_outside(params, path)
    refuse_senseless(params.finetune, path)
    refuse_senseless_loop(params, path)
    return params


def refuse_outside(params: Params, path: Path) -> None:
    """Stop at names that lead out of the folder of raw data, before DVC hashes what they name.

    Raises:
        UserError: names the key and its value.
    """
    splits = {f"splits.{split}": names for split, names in params.splits.model_dump().items()}
    for key, names in {"dataset": [params.dataset], **splits}.items():
        for name in names:
            there = PurePosixPath(name)
            if not there.parts or there.is_absolute() or ".." in there.parts or "\0" in name:
                raise UserError(f"{path}: {key}: {name!r} leaves the folder of raw data; name something within it")


def refuse_senseless(finetune: Finetune, path: Path) -> None:
    """Stop at values that are right each for itself and make no sense together, at once and not after an hour.

    Raises:
        UserError: names both keys and the remedy.
    """
    f = finetune
    rules = [
        (
            f.micro_batch_size > f.batch_size,
            f"finetune.micro_batch_size: {f.micro_batch_size} is more than finetune.batch_size: {f.batch_size}; "
            "write less, or 0 for the whole step",
        ),
        (
            f.patience == 0 and f.minimum_gain > 0,
            f"finetune.minimum_gain: {f.minimum_gain:g} has no effect with finetune.patience: 0, which never stops; "
            "set a patience or write minimum_gain: 0.0",
        ),
        (
            f.patience > 0 and f.patience >= f.epochs,
            f"finetune.patience: {f.patience} cannot end a run of finetune.epochs: {f.epochs}; "
            "write less, or 0 to never stop early",
        ),
        (
            f.features == "frozen" and f.lora.rank > 0,
            f"finetune.features: frozen trains nothing of the encoder, and finetune.lora.rank: {f.lora.rank} does; "
            "write features: last, or rank: 0",
        ),
        (
            f.features == "frozen" and f.frozen_layers > 0,
            f"finetune.frozen_layers: {f.frozen_layers} says nothing with finetune.features: frozen, which freezes "
            "all; write 0, or features: last",
        ),
        (
            f.features == "frozen" and f.layer_decay < 1,
            f"finetune.layer_decay: {f.layer_decay:g} has no layer to work on with finetune.features: frozen; "
            "write 1.0, or features: last",
        ),
        (
            f.head == "crf" and f.class_weights != "none",
            f"finetune.class_weights: {f.class_weights} weighs words, and finetune.head: crf scores whole sentences; "
            "write class_weights: none, or head: linear",
        ),
    ]
    for holds, problem in rules:
        if holds:
            raise UserError(f"{path}: {problem}")


def refuse_senseless_loop(params: Params, path: Path) -> None:
    """The same for goal and curve.

    Raises:
        UserError: names the key and the remedy.
    """
    goal, shares = params.goal, params.curve.shares
    if goal.slice and goal.metric != "headline":
        raise UserError(
            f"{path}: goal.slice: {goal.slice!r} is judged by the headline, and goal.metric: {goal.metric} is another; "
            "write metric: headline, or an empty slice"
        )
    if sorted(set(shares)) != shares:
        raise UserError(f"{path}: curve.shares: {shares} do not rise; write each once, the smallest first")


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML 1.2 file, read as DVC reads it (5e-5 is a number).

    Raises:
        UserError: missing file, YAML error, or something else than a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run this in the project's folder") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not YAML ({error}); mend it or 'git checkout {path}'") from None
    return read_yaml_text(text, str(path))


def read_yaml_text(text: str, path: str) -> dict[str, Any]:
    """The same of a text; ``path`` says in messages where it stands. Raises UserError likewise."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        try:
            values = YAML(typ="safe").load(text)  # libyaml where it is there: a fifth of the time
        except YAMLError:
            values = YAML(typ="safe", pure=True).load(text)  # whose messages name the line
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{path}:{mark.line + 1}" if mark else path
        raise UserError(f"{place}: not YAML ({error.problem}); mend the line or 'git checkout {path}'") from None
    except (YAMLError, RecursionError) as error:
        raise UserError(f"{path}: not YAML ({error}); mend it or 'git checkout {path}'") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: empty; 'git checkout {path}' brings the last one back")
    return values


def check(section: type[SectionT], values: dict[str, Any], path: Path, prefix: str = "") -> SectionT:
    """Build ``section`` from plain values; the first few problems become one UserError that names each key."""
    try:
        return section.model_validate(values)
    except ValidationError as error:
        problems = []
        for problem in error.errors()[:3]:
            key = prefix + ".".join(str(part) for part in problem["loc"])
            if problem["type"] == "extra_forbidden":
                known = _keys(section, problem["loc"][:-1])
                problems.append(f"{key}: unknown key{_close(str(problem['loc'][-1]), known)}")
            elif problem["type"] == "missing":
                problems.append(f"{key}: missing; 'git diff {path}' shows what was there")
            else:
                message = problem["msg"].removeprefix("Input ").replace("Input should", "should")
                problems.append(f"{key}: {problem['input']!r} {message}")
        raise UserError(f"{path}: " + "; ".join(problems)) from None


def _keys(section: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    for part in place:
        inner = section.model_fields[str(part)].annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        section = inner
    return list(section.model_fields)


def _close(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
