"""Entity scores of tag sequences: strict, lenient, partial and type-only, micro, macro and per type, with intervals.

The spans come from tasks/scoring/spans.py; tests compare all of it with seqeval and conlleval.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.records import Example, Prediction
from tasks.scoring import errors, intervals, invariance, mistakes, occurrences, slices, spans, suspects
from tasks.scoring.baselines import Baselines
from tasks.scoring.cases import Analysis
from tasks.scoring.confusion import confusion
from tasks.scoring.figures import rounded
from tasks.scoring.measures import Measure, f1, macro_f1
from tasks.scoring.spans import Spans
from tasks.scoring.tokens import token_table

__all__ = ["ANALYSIS", "HEADLINE", "baselines", "confidences", "confusion", "score", "token_table", "type_counts"]

Floats = NDArray[np.float64]

SCHEMATA = ("strict", "exact", "partial", "type")
CATEGORIES = ("correct", "incorrect", "partial", "missed", "spurious")


@dataclass(frozen=True)
class Counts:
    """What each sentence adds to the figures; n sentences, T types.

    Attributes:
        types: names of the types that have an entity in gold or prediction by strict IOB2, sorted.
        strict: right, predicted and gold entities of each type, (n, 3 T).
        lenient: right, predicted and gold entities of all types, (n, 3).
        schemata: for each of SCHEMATA the numbers of CATEGORIES, (n, 5).
        words: number of all words.
    """

    types: list[str]
    strict: Floats
    lenient: Floats
    schemata: dict[str, Floats]
    words: int

    def variants(self) -> dict[str, tuple[Floats, Any]]:
        """Counts and figure of each headline, by the ending of its name."""
        return {
            "": (_micro(self.strict), f1),
            "_lenient": (self.lenient, f1),
            "_partial": (_as_f1(self.schemata["partial"]), f1),
            "_type_only": (_as_f1(self.schemata["type"]), f1),
            "_macro": (self.strict, macro_f1),
        }


def count(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> Counts:
    """Count entities by sentence, in both modes and all schemata.

    Strict: an entity is a B- and the I- of its type after it, and right when its first word, last word and type are.
    Lenient: as conlleval counts (tasks.scoring.spans).

    The schemata are those of SemEval-2013 task 9.1 (Segura-Bedmar et al. 2013), over the strict entities. Gold and
    predicted ones are paired once for all four, one to one, so that correct, incorrect, partial and missed ones are all
    of gold. What a pair counts as:

    =========  ================  =====================  ===============  ======================
    schema     all equal         equal but for type     overlap, a type  overlap, another type
    =========  ================  =====================  ===============  ======================
    strict     correct           incorrect              incorrect        incorrect
    exact      correct           correct                incorrect        incorrect
    partial    correct           correct                partial          partial
    type       correct           incorrect              correct          incorrect
    =========  ================  =====================  ===============  ======================

    Args:
        gold: tags of each sentence, in any state.
        predicted: same shape.

    Raises:
        ValueError: a sentence has more tags on one side.
    """
    starts = spans.starts_of(gold)
    if not np.array_equal(starts, spans.starts_of(predicted)):
        raise ValueError("gold and predicted differ in the number of tags of a sentence")
    kinds: dict[str, int] = {}
    tags = [spans.encode(gold, kinds), spans.encode(predicted, kinds)]
    words = int(starts[-1])
    sentence_of = np.repeat(np.arange(len(gold)), np.diff(starts))

    def by_sentence(where: Spans, which: Any = slice(None)) -> Floats:
        return np.bincount(sentence_of[where.start[which]], minlength=len(gold)).astype(np.float64)

    loose = [spans.find(side, "lenient") for side in tags]
    right, _ = spans.same_spans(*loose, words=words)
    lenient = np.stack([by_sentence(loose[0], right), by_sentence(loose[1]), by_sentence(loose[0])], 1)

    one, other = strict = [spans.find(side, "strict") for side in tags]
    used = np.unique(np.concatenate([one.kind, other.kind]))
    names = list(kinds)
    types = sorted(names[kind] for kind in used.tolist())
    column = np.zeros(len(names) + 1, np.int64)
    column[[kinds[name] for name in types]] = np.arange(len(types))
    right, _ = spans.same_spans(*strict, words=words)
    table = np.zeros((len(gold), len(types), 3))
    correct = Spans(one.start[right], one.end[right], one.kind[right])
    for place, side in enumerate((correct, other, one)):
        flat = sentence_of[side.start] * len(types) + column[side.kind]
        table[..., place] = np.bincount(flat, minlength=len(gold) * len(types)).reshape(len(gold), len(types))

    pairs = spans.align(one, other, words=words)
    edges = (one.start[pairs[0]] == other.start[pairs[1]]) & (one.end[pairs[0]] == other.end[pairs[1]])
    typed = one.kind[pairs[0]] == other.kind[pairs[1]]
    missed = by_sentence(one) - by_sentence(one, pairs[0])
    spurious = by_sentence(other) - by_sentence(other, pairs[1])
    none = np.zeros(len(gold))
    schemata = {}
    for name, good in zip(SCHEMATA, (edges & typed, edges, edges, typed), strict=True):
        fits, bad = by_sentence(one, pairs[0][good]), by_sentence(one, pairs[0][~good])
        middle = (none, bad) if name == "partial" else (bad, none)
        schemata[name] = np.stack([fits, *middle, missed, spurious], 1)
    return Counts(types, table.reshape(len(gold), 3 * len(types)), lenient, schemata, words)


def score(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """Entity scores with 95 % intervals by the bootstrap over documents (tasks.scoring.intervals).

    The headline ``entity_f1`` is micro F1 by strict IOB2; beside it stand ``_lenient``, ``_partial`` and ``_type_only``
    (see `count`), and ``_macro``, the mean of the types' strict F1. ``schemata`` has the counts of SemEval-2013.

    Args:
        predictions: gold and predicted hold one tag per word.

    Returns:
        Figures between 0 and 1, rounded to six decimals, and counts; 0 where there is nothing to count.
    """
    counts = count([one.gold for one in predictions], [one.predicted for one in predictions])
    groups = intervals.group_ids(predictions)
    scores = figures(counts)
    variants = counts.variants()
    together = np.concatenate([matrix for matrix, _ in variants.values()], 1)
    edges = np.cumsum([matrix.shape[1] for matrix, _ in variants.values()])[:-1]
    drawn = np.split(intervals.resample(together, groups), edges, axis=1)
    for (ending, (_, figure)), sums in zip(variants.items(), drawn, strict=True):
        low, high = intervals.limits(figure(sums))
        scores[f"entity_f1{ending}_low"], scores[f"entity_f1{ending}_high"] = rounded(low), rounded(high)
    for number, row in enumerate(scores["per_type"].values()):  # the counts of _macro are those of the types
        low, high = intervals.limits(f1(drawn[-1][:, 3 * number : 3 * number + 3]))
        row["f1_low"], row["f1_high"] = rounded(low), rounded(high)
    return scores


def figures(counts: Counts) -> dict[str, Any]:
    """All that `score` says but for the intervals."""
    scores: dict[str, Any] = {
        "mode": "strict",
        "scheme": "IOB2",
        "sentences": len(counts.strict),
        "words": counts.words,
        "per_type": {
            name: _scores(row) for name, row in zip(counts.types, counts.strict.sum(axis=0).reshape(-1, 3), strict=True)
        },
        "schemata": {name: _schema(table.sum(axis=0)) for name, table in counts.schemata.items()},
    }
    for ending, (matrix, figure) in counts.variants().items():
        scores[f"entity_f1{ending}"] = rounded(figure(matrix.sum(axis=0)))
    for ending, matrix in (("", _micro(counts.strict)), ("_lenient", counts.lenient)):
        row = _scores(matrix.sum(axis=0))
        scores[f"entity_precision{ending}"], scores[f"entity_recall{ending}"] = row["precision"], row["recall"]
    _, predicted, gold = _micro(counts.strict).sum(axis=0)
    return {**scores, "gold_entities": int(gold), "predicted_entities": int(predicted)}


def _scores(sums: Floats) -> dict[str, float | int]:
    right, predicted, gold = sums
    return {
        "f1": rounded(f1(sums)),
        "precision": rounded(right / max(predicted, 1)),
        "recall": rounded(right / max(gold, 1)),
        "support": int(gold),
    }


def _schema(sums: Floats) -> dict[str, float | int]:
    row = _scores(_as_f1(sums))
    del row["support"]
    return row | dict(zip(CATEGORIES, map(int, sums), strict=True))


def _micro(strict: Floats) -> Floats:
    """Right, predicted and gold over all types, (n, 3)."""
    sums: Floats = strict.reshape(len(strict), strict.shape[1] // 3, 3).sum(axis=1)
    return sums


def _as_f1(categories: Floats) -> Floats:
    """Right (partial ones count half), predicted and gold from CATEGORIES on the last axis."""
    correct, incorrect, partial, missed, spurious = np.moveaxis(categories, -1, 0)
    both = correct + incorrect + partial
    return np.stack([correct + partial / 2, both + spurious, both + missed], -1)


def strict_counts(predictions: Sequence[Prediction]) -> Floats:
    """Entities of each prediction that are right, predicted and gold, by strict IOB2, shape (n, 3)."""
    return _micro(count([one.gold for one in predictions], [one.predicted for one in predictions]).strict)


def type_counts(predictions: Sequence[Prediction]) -> dict[str, Floats]:
    """`strict_counts` of each entity type, with which the same figure gives that of the type."""
    counts = count([one.gold for one in predictions], [one.predicted for one in predictions])
    return {name: counts.strict[:, 3 * number : 3 * number + 3] for number, name in enumerate(counts.types)}


HEADLINE = Measure("entity_f1", strict_counts, f1)
ANALYSIS = Analysis(
    kinds=errors.KINDS,
    cases=errors.cases,
    facts=occurrences.occurrences,
    slices=slices.slices,
    mistake=mistakes.mistake,
    suspects=suspects.suspects,
    variants=invariance.swapped,
    variation=invariance.variation,
)


def confidences(predictions: Sequence[Prediction]) -> tuple[Floats, NDArray[np.bool_]]:
    """How sure the model is of each predicted entity (strict IOB2), and whether it is right, (entities,) both.

    An entity is as sure as its least sure word. Their product would take the words of an entity for independent, which
    they are not: it makes long entities too unsure (docs/decisions/0008-scores-and-confidence.md has the figures).
    """
    kinds: dict[str, int] = {}
    gold, predicted = (
        spans.find(spans.encode(side, kinds), "strict")
        for side in ([one.gold for one in predictions], [one.predicted for one in predictions])
    )
    words = np.array([value for one in predictions for value in one.confidence], np.float64)
    _, hits = spans.same_spans(gold, predicted, words=len(words))
    right = np.zeros(len(predicted), np.bool_)
    right[hits] = True
    if not len(predicted):
        return np.zeros(0), right
    edges = np.stack([predicted.start, predicted.end], 1).ravel()
    sure: Floats = np.minimum.reduceat(np.append(words, 1.0), edges)[::2]
    return sure, right


def baselines(train: Iterable[Example], examples: Iterable[Example]) -> dict[str, list[Prediction]]:
    """The two baselines of tasks.scoring.baselines."""
    learned = Baselines((example.inputs["words"], example.target) for example in train)
    given: dict[str, list[Prediction]] = {"dictionary": [], "majority": []}
    for one in examples:
        words = one.inputs["words"]
        for name, answer in (("dictionary", learned.dictionary), ("majority", learned.majority)):
            given[name].append(Prediction(one.id, one.target, answer(words), [1.0] * len(words), one.document))
    return given
