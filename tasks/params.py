"""params.yaml, typed. No default lives here; tasks/params_file.py reads the file and names what is wrong with it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]


class Section(BaseModel):
    """A block of params.yaml: frozen, strictly typed, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


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
