"""Scores of translations: BLEU (the headline) and chrF, as sacrebleu has them, divided by 100."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from tasks.records import Example, Prediction
from tasks.scoring import intervals
from tasks.scoring.cases import Case
from tasks.scoring.figures import bounded, rounded
from tasks.scoring.ngrams import bleu, chrf
from tasks.scoring.signatures import signatures
from tasks.scoring.wholes import binned, token_table
from tasks.scoring.written import by_fault, fault_of, no_confidences, no_confusion, repeats, words

__all__ = ["ANALYSIS", "HEADLINE", "baselines", "confidences", "confusion", "score", "token_table"]

FAR = 0.3  # chrF of a text below which it counts as far from its references
COPIED = re.compile(r"\w*\d[\w.,:]*\w|\d|\b[A-Z]\w+")  # numbers, and names as far as a capital tells


def score(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """BLEU and chrF between 0 and 1 with 95 % intervals, rounded to six decimals, with sacrebleu's signatures.

    Args:
        predictions: gold is a list of references, predicted a list of one text.
    """
    groups = intervals.group_ids(predictions)
    scores: dict[str, Any] = {}
    for measure in (HEADLINE, CHRF):
        scores |= bounded(measure.counts(predictions), groups, {measure.name: measure.figure})
    sums = HEADLINE.counts(predictions).sum(axis=0)
    return {
        **scores,
        "gold_entities": sum(len(one.gold) for one in predictions),
        "length_ratio": rounded(sums[8] / max(sums[9], 1)),
        "mode": "all references at once",
        "per_type": {},
        "predicted_entities": len(predictions),
        "repeating_texts": sum(repeats(words(one.predicted[0])) for one in predictions),
        "scheme": "texts",
        "sentences": len(predictions),
        "signature": signatures(predictions, "mixed"),
    }


def baselines(train: Iterable[Example], examples: Iterable[Example]) -> dict[str, list[Prediction]]:  # noqa: ARG001
    """Every text as its own translation."""
    copies = [Prediction(one.id, one.target, [one.inputs["text"]], [1.0], one.document) for one in examples]
    return {"copy": copies}


def nearness(one: Prediction) -> float:
    """chrF of one text."""
    return CHRF.of([one])


def _slices(case: Case, example: Example, _facts: None) -> dict[str, str]:
    """Length, names and numbers to be copied, repetition, and how much of the source was copied."""
    source, (reference, *_) = example.inputs["text"], example.target
    text = case.predicted[0][2]
    own, theirs = words(text), set(words(source))
    found = {
        "source length": binned(
            len(words(source)), (0, 6, 11, 16, 26), ("up to 5 words", "6 to 10", "11 to 15", "16 to 25", "26 or more")
        ),
        "names and numbers": _copied(source, reference, text),
        "repetition": "repeats itself" if repeats(own) else "none",
        "copied from the source": binned(
            round(100 * sum(word in theirs for word in own) / max(len(own), 1)),
            (0, 10, 30, 60),
            ("under a tenth of the words", "a tenth to 3 tenths", "3 to 6 tenths", "6 tenths or more"),
        ),
    }
    if example.document is not None:
        found["document"] = example.document
    return found


def _copied(source: str, reference: str, text: str) -> str:
    """Whether the numbers and names that the source and the first reference share stand in the text."""
    shared = set(COPIED.findall(source)) & set(COPIED.findall(reference))
    if not shared:
        return "none to copy"
    kept = len(shared & set(COPIED.findall(text)))
    return "all copied" if kept == len(shared) else "some lost" if kept else "all lost"


HEADLINE, CHRF = bleu(lowercase=False), chrf(lowercase=False)
ANALYSIS = by_fault(HEADLINE, fault_of(nearness, FAR), _slices, nearness)
confidences, confusion = no_confidences, no_confusion
