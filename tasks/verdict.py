"""What became better or worse from some models to others on the same test set, as data: the body of `hone diff`.

Everything follows from predictions and from what the task's scorer says of them; a figure is judged by
`tasks.scoring.paired` and by nothing else.
"""

import importlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks import adapters
from tasks.records import Example, Prediction
from tasks.scoring.cases import RIGHT, Analysis
from tasks.scoring.paired import Comparison, Counts, Figure, compare, holm

Models = Sequence[Sequence[Prediction]]  # the predictions of one model per seed
SHOWN = 10  # sentences fixed, and broken
CLEAR = 0.5  # a sentence is fixed or broken when the share of seeds that have it right moves by at least this


@dataclass(frozen=True)
class Sentence:
    """An example that one side has right and the other wrong; its texts mark what was found, or are empty if hidden."""

    id: str
    gold: str
    before: str
    after: str


@dataclass(frozen=True)
class Judgement:
    """All of it. Comparisons of types, kinds and slices have p-values adjusted for their number (Holm).

    Attributes:
        name: of the headline figure.
        unit: what was resampled: documents, or where there are none what the task calls its examples.
        examples: what it calls them, e.g. sentences.
        types: by name; those of the scorer's ``type_counts``, or where it has none by the type of each case.
        kinds: errors of each kind that either side makes; ``before`` and ``after`` of a comparison are their numbers
            with a minus, so that fewer is better.
        slices: by ``dimension: name``.
        fixed: the first SHOWN of ``fixed_count`` examples that became right.
    """

    name: str
    unit: str
    examples: str
    headline: Comparison
    types: dict[str, Comparison]
    kinds: dict[str, Comparison]
    slices: dict[str, Comparison]
    fixed: list[Sentence] = field(default_factory=list)
    broken: list[Sentence] = field(default_factory=list)
    fixed_count: int = 0
    broken_count: int = 0

    def as_json(self) -> dict[str, Any]:
        """Plain values; numbers to six decimals."""

        def plain(comparison: Comparison) -> dict[str, Any]:
            values = {**asdict(comparison), "difference": comparison.difference}
            return {name: round(value, 6) if isinstance(value, float) else value for name, value in values.items()}

        tables = {
            key: {name: plain(one) for name, one in getattr(self, key).items()} for key in ("types", "kinds", "slices")
        }
        return {**asdict(self), "headline": plain(self.headline), **tables}


def judge(
    task: str,
    before: Models,
    after: Models,
    examples: Sequence[Example],
    train: Callable[[], Iterable[Example]],
    *,
    relevant: float,
    resamples: int,
    show_text: bool,
) -> Judgement:
    """Judge the models ``after`` against the models ``before``.

    Args:
        examples: the test set, in the order of all predictions.
        train: yields the examples of train, for slices such as "unseen in train".
        relevant: smallest difference of the headline that matters; 0 to 1.
        show_text: False leaves the texts of sentences out.
    """
    adapter = adapters.find(task)
    scorer = importlib.import_module(f"tasks.scoring.{adapter.scorer}")
    groups = _documents(examples)
    sides = [list(before), list(after)]

    def compared(counts: list[list[Counts]], figure: Figure, matters: float = relevant) -> Comparison:
        return compare(counts[0], counts[1], groups, figure, relevant=matters, resamples=resamples)

    headline = compared([[scorer.HEADLINE.counts(model) for model in side] for side in sides], scorer.HEADLINE.figure)
    types = _tables(sides, getattr(scorer, "type_counts", lambda model: _by_type(scorer.ANALYSIS, model)))
    kinds, slices = _cases(sides, examples, train, scorer)
    figure = scorer.HEADLINE.figure
    fixed, broken = _changed(sides, examples, adapter.show if show_text else None)
    return Judgement(
        name=scorer.HEADLINE.name,
        unit="documents" if any(example.document for example in examples) else adapter.wording.examples,
        examples=adapter.wording.examples,
        headline=headline,
        types=holm({name: compared(counts, figure) for name, counts in types.items()}, relevant),
        kinds=holm({name: compared(counts, _fewer, np.inf) for name, counts in kinds.items()}, np.inf),
        slices=holm({name: compared(counts, figure) for name, counts in slices.items()}, relevant),
        fixed=fixed[:SHOWN],
        broken=broken[:SHOWN],
        fixed_count=len(fixed),
        broken_count=len(broken),
    )


def _documents(examples: Sequence[Example]) -> NDArray[np.int64]:
    """A number per example: that of its document, else one of its own."""
    numbers: dict[object, int] = {}
    return np.array(
        [
            numbers.setdefault(
                (example.id.rpartition(":")[0], example.document) if example.document else index, len(numbers)
            )
            for index, example in enumerate(examples)
        ],
        dtype=np.int64,
    )


def _fewer(sums: Counts) -> Counts:
    less: Counts = -sums[..., 0]
    return less


def _tables(
    sides: list[list[Sequence[Prediction]]], count: Callable[[Sequence[Prediction]], dict[str, Counts]]
) -> dict[str, list[list[Counts]]]:
    """Counts by name, then side and seed; zeros where a model has nothing of that name."""
    tables = [[count(model) for model in side] for side in sides]
    first = {name: matrix for side in tables for table in side for name, matrix in table.items()}
    return {
        name: [[table.get(name, np.zeros_like(first[name])) for table in side] for side in tables]
        for name in sorted(first)
    }


def _by_type(analysis: Analysis, model: Sequence[Prediction]) -> dict[str, Counts]:
    """Counts (n, K) by the type of each case: right where an answer cannot be of several types."""
    tables: dict[str, Counts] = {}
    for case in analysis.cases(model):
        tables.setdefault(case.type, np.zeros((len(model), len(case.counts))))[case.item] += case.counts
    return tables


def _cases(
    sides: list[list[Sequence[Prediction]]],
    examples: Sequence[Example],
    train: Callable[[], Iterable[Example]],
    scorer: ModuleType,
) -> tuple[dict[str, list[list[Counts]]], dict[str, list[list[Counts]]]]:
    """Errors by kind (n, 1) and the headline's counts by slice (n, K), each by side and seed."""
    analysis: Analysis = scorer.ANALYSIS
    cases = {id(model): analysis.cases(model) for side in sides for model in side}
    facts = analysis.facts(train(), examples, [case for found in cases.values() for case in found])

    def kinds(model: Sequence[Prediction]) -> dict[str, Counts]:
        table = {kind: np.zeros((len(examples), 1)) for kind in analysis.kinds}
        for case in cases[id(model)]:
            if case.kind != RIGHT:
                table[case.kind][case.item] += 1
        return table

    def slices(model: Sequence[Prediction]) -> dict[str, Counts]:
        table: dict[str, Counts] = {}
        for case in cases[id(model)]:
            for dimension, name in analysis.slices(case, examples[case.item], facts).items():
                if dimension != "document":  # one document is one observation: nothing to be sure of
                    matrix = table.setdefault(f"{dimension}: {name}", np.zeros((len(examples), len(case.counts))))
                    matrix[case.item] += case.counts
        return table

    in_order = _tables(sides, kinds)
    made = {
        kind: in_order[kind] for kind in analysis.kinds if any(one.any() for side in in_order[kind] for one in side)
    }
    return made, _tables(sides, slices)


def _changed(
    sides: list[list[Sequence[Prediction]]],
    examples: Sequence[Example],
    show: Callable[[dict[str, Any], Any], list[tuple[str, str | None]]] | None,
) -> tuple[list[Sentence], list[Sentence]]:
    """Sentences fixed and broken: those that most seeds changed first, then in the order of the test set."""
    right = [[[one.predicted == one.gold for one in model] for model in side] for side in sides]
    change = np.mean(right[1], axis=0) - np.mean(right[0], axis=0)

    def answer(side: int, index: int, wanted: bool) -> str:
        """What a seed of that side says which is right, or wrong, as ``wanted``; else what the first one says."""
        seeds = [seed for seed, rights in enumerate(right[side]) if rights[index] == wanted]
        return text(index, sides[side][(seeds or [0])[0]][index].predicted)

    def text(index: int, target: Any) -> str:
        return _marked(show(examples[index].inputs, target)) if show else ""

    def sentences(indices: NDArray[np.int64], fixed: bool) -> list[Sentence]:
        return [
            Sentence(
                id=examples[index].id,
                gold=text(index, sides[0][0][index].gold),
                before=answer(0, index, not fixed),
                after=answer(1, index, fixed),
            )
            for index in indices
        ]

    order = np.argsort(-np.abs(change), kind="stable")
    clear = order[np.abs(change[order]) >= CLEAR]
    return sentences(clear[change[clear] > 0], True), sentences(clear[change[clear] < 0], False)


def _marked(runs: list[tuple[str, str | None]]) -> str:
    """Runs of text as one line: ``[Angela Merkel PER] visited``."""
    return " ".join(f"[{text} {label}]" if label else text for text, label in runs if text or label)
