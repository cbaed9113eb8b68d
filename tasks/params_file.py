"""The file params.yaml, read and checked: what is missing, unknown, wrong or senseless stops the run with its key."""

import difflib
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from tasks.errors import UserError
from tasks.params import Finetune, Params, Section
from tasks.yaml_files import read_yaml

SectionT = TypeVar("SectionT", bound=Section)

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
    refuse_head(params, path)
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


def refuse_head(params: Params, path: Path) -> None:
    """Stop at a head that the task has not.

    Raises:
        UserError: names the key and those that there are.
    """
    from tasks import adapters  # which imports this file

    heads = adapters.find(params.task).heads
    if params.finetune.head not in heads:
        raise UserError(
            f"{path}: finetune.head: {params.finetune.head} does not go with task: {params.task}; "
            f"write one of: {', '.join(heads)}"
        )


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
