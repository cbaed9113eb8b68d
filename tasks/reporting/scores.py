"""What the metrics and the token-level table of a run say, typed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tasks import records
from tasks.errors import UserError
from tasks.reporting.wording import visible
from tasks.scoring.beaten import beaten

SPLITS = ("validation", "test")

ValueT = TypeVar("ValueT")


@dataclass(frozen=True, slots=True)
class Interval:
    """Bounds of a 95 % interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Figures:
    """F1 or another headline, precision and recall, each between 0 and 1; None where the headline has no such parts."""

    f1: float
    precision: float | None
    recall: float | None


@dataclass(frozen=True, slots=True)
class TypeScore:
    """The figures of one type in one split with the interval of F1; ``support`` counts its gold entities."""

    figures: Figures
    interval: Interval
    support: int


@dataclass(frozen=True, slots=True)
class Variant:
    """The same predictions counted by another rule, ``lenient`` for instance."""

    name: str
    f1: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Scores:
    """What the metrics file of a split says.

    Attributes:
        strict: the headline with its precision and recall; ``interval`` is that of its F1.
        baselines: F1 of predictors that need no training, by name.
        beaten: by how much the model beats the best of them, in words, with the paired interval.
        ece: expected calibration error of the confidence, between 0 and 1; ``brier`` its Brier score. None of
            texts that are written, of which none is right or wrong.
        how: how the intervals were made, in words.
    """

    strict: Figures
    interval: Interval
    variants: tuple[Variant, ...]
    baselines: dict[str, float]
    beaten: str
    ece: float | None
    brier: float | None
    how: str
    mode: str
    scheme: str
    gold: int
    predicted: int
    sentences: int
    words: int | None
    types: dict[str, TypeScore]


@dataclass(frozen=True, slots=True)
class TokenLine:
    """One line of the token-level table."""

    label: str
    figures: Figures
    support: int


@dataclass(frozen=True, slots=True)
class TokenTable:
    """Tags scored word by word with O among them, and the share of right words."""

    labels: tuple[TokenLine, ...]
    averages: tuple[TokenLine, ...]
    accuracy: float
    outside: int
    words: int


def read_scores(path: Path, headline: str) -> Scores:
    """The metrics of one split; ``headline`` names the figure that choices are made by."""
    stem = headline.removesuffix("_f1")

    def interval(metrics: dict[str, Any], name: str) -> Interval:
        return Interval(metrics[f"{name}_low"], metrics[f"{name}_high"])

    def variants(metrics: dict[str, Any]) -> tuple[Variant, ...]:
        bounded = [
            name for name in metrics if f"{name}_low" in metrics and name != headline and not name.startswith("over_")
        ]
        every = metrics["scheme"] == "texts"  # each has a name of its own
        names = [name for name in bounded if every or name.startswith(f"{headline}_")]
        return tuple(
            Variant(name.removeprefix(f"{headline}_"), metrics[name], interval(metrics, name)) for name in names
        )

    def scores(metrics: dict[str, Any]) -> Scores:
        return Scores(
            strict=Figures(metrics[headline], metrics.get(f"{stem}_precision"), metrics.get(f"{stem}_recall")),
            interval=interval(metrics, headline),
            variants=variants(metrics),
            baselines={
                name.removeprefix("baseline_").removesuffix("_f1"): value
                for name, value in sorted(metrics.items())
                if name.startswith("baseline_")
            },
            beaten=beaten(metrics),
            ece=metrics.get("ece"),
            brier=metrics.get("brier"),
            how=metrics["interval"],
            mode=metrics["mode"],
            scheme=metrics["scheme"],
            gold=metrics["gold_entities"],
            predicted=metrics["predicted_entities"],
            sentences=metrics["sentences"],
            words=metrics.get("words"),
            types={
                visible(label): TypeScore(
                    Figures(own["f1"], own["precision"], own["recall"]), interval(own, "f1"), own["support"]
                )
                for label, own in sorted(metrics["per_type"].items())
            },
        )

    return unpacked(path, scores)


def read_tokens(path: Path) -> dict[str, TokenTable]:
    """The token-level tables by split; none of a task without tokens."""

    def line(label: str, own: dict[str, Any]) -> TokenLine:
        return TokenLine(visible(label), Figures(own["f1-score"], own["precision"], own["recall"]), int(own["support"]))

    def tables(value: dict[str, Any]) -> dict[str, TokenTable]:
        return {
            split: TokenTable(
                labels=tuple(line(*entry) for entry in sorted(value[split]["labels"].items())),
                averages=tuple(line(name, value[split][name]) for name in ("macro avg", "weighted avg")),
                accuracy=value[split]["accuracy"],
                outside=int(value[split]["labels"]["O"]["support"]) if "O" in value[split]["labels"] else 0,
                words=sum(int(own["support"]) for own in value[split]["labels"].values()),
            )
            for split in SPLITS
            if value[split] is not None
        }

    return unpacked(path, tables)


def unpacked(path: Path, unpack: Callable[[dict[str, Any]], ValueT]) -> ValueT:
    """What ``unpack`` makes of a JSON file; UserError where the file has another form."""
    value = records.read_json(path)
    with formed(path):
        return unpack(value)


@contextmanager
def formed(path: Path) -> Iterator[None]:
    """Within, what a file lacks or holds in another form is a UserError that names the file."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path}: has not the form that is read here ({error!r}); 'dvc repro --force' mends it"
        ) from None
