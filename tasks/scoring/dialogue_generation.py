"""Scores of written responses: chrF (the headline) and BLEU, as sacrebleu has them, divided by 100, and distinct-n.

Upper and lower case are alike: a response says the same in both, and encoders without capitals are common.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tasks.dialogues import end_of
from tasks.records import ABOUT, Example, Prediction
from tasks.scoring import histories, intervals
from tasks.scoring.cases import Case
from tasks.scoring.distinct import distinct
from tasks.scoring.figures import bounded, rounded
from tasks.scoring.ngrams import bleu, chrf
from tasks.scoring.signatures import signatures
from tasks.scoring.wholes import binned, token_table
from tasks.scoring.written import by_fault, fault_of, no_confidences, no_confusion, repeats, words

__all__ = ["ANALYSIS", "HEADLINE", "baselines", "confidences", "confusion", "score", "token_table"]

FAR = 0.15  # chrF of a response below which it counts as far from the gold one
ROWS = 256  # histories that are compared with all of train at once
COPIED = re.compile(r"\w*\d[\w.,:]*\w|\d|(?<=[\w,] )[A-Z]\w+")  # numbers, and names as far as a capital tells
PIECE = re.compile(r"\w+(?:[.,:]\w+)*")


def score(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """BLEU, chrF and distinct-n between 0 and 1 with 95 % intervals, rounded to six decimals; see the signatures.

    Args:
        predictions: gold is a list of one response, predicted a list of one text.
    """
    groups = intervals.group_ids(predictions)
    scores: dict[str, Any] = {}
    for measure in (HEADLINE, BLEU):
        scores |= bounded(measure.counts(predictions), groups, {measure.name: measure.figure})
    for order in (1, 2):
        name = f"distinct_{order}"
        figure, low, high = distinct([one.predicted[0] for one in predictions], order, groups)
        scores |= {name: rounded(figure), f"{name}_low": rounded(low), f"{name}_high": rounded(high)}
        scores[f"{name}_of_gold"] = rounded(distinct([one.gold[0] for one in predictions], order, groups)[0])
    sums = BLEU.counts(predictions).sum(axis=0)
    return {
        **scores,
        "gold_entities": sum(len(one.gold) for one in predictions),
        "length_ratio": rounded(sums[8] / max(sums[9], 1)),
        "mode": "case does not count",
        "per_type": {},
        "predicted_entities": len(predictions),
        "repeating_texts": sum(repeats(words(one.predicted[0])) for one in predictions),
        "scheme": "texts",
        "sentences": len(predictions),
        "signature": signatures(predictions, "lc"),
    }


def nearness(one: Prediction) -> float:
    """chrF of one response."""
    return HEADLINE.of([one])


def baselines(train: Iterable[Example], examples: Iterable[Example]) -> dict[str, list[Prediction]]:
    """The last turn said again, the response of the history of train that is most alike, and the most frequent one.

    Alike is by TF-IDF over the last turns, scikit-learn's with sublinear frequencies, compared by cosine.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    asked = list(examples)
    known = [(end_of(one.inputs["history"]), one.target[0]) for one in train]
    tfidf = TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\w+")
    there, wanted = (
        tfidf.fit_transform([end for end, _ in known]),
        tfidf.transform([end_of(one.inputs["history"]) for one in asked]),
    )
    nearest: list[int] = []
    for start in range(0, len(asked), ROWS):
        nearest += np.asarray((wanted[start : start + ROWS] @ there.T).argmax(axis=1)).ravel().tolist()
    often = most_frequent([response for _, response in known])
    answers = {
        "copy": [one.inputs["history"][-1]["text"] for one in asked],
        "tfidf": [known[place][1] for place in nearest],
        "frequent": [often] * len(asked),
    }
    return {
        name: [
            Prediction(one.id, one.target, [text], [1.0], one.document) for one, text in zip(asked, texts, strict=True)
        ]
        for name, texts in answers.items()
    }


def most_frequent(responses: Sequence[str]) -> str:
    """The response that is given most often, whatever its case and white space; the first among equals."""
    forms: dict[str, str] = {}
    for response in responses:
        forms.setdefault(wording(response), response)
    often = Counter(map(wording, responses))
    return forms[max(often, key=often.__getitem__)]


def wording(text: str) -> str:
    """What two responses have in common that are the same: their words without case, white space and marks."""
    return " ".join(words(text))


@dataclass(frozen=True)
class Known:
    """What train says of validation: its services, and how often it gives the responses that are written or due."""

    services: frozenset[str]
    often: Counter[str]


def _facts(train: Iterable[Example], examples: Sequence[Example], cases: Sequence[Case]) -> Known:
    asked = {wording(one.target[0]) for one in examples} | {wording(case.predicted[0][2]) for case in cases}
    services: set[str] = set()
    often = Counter[str]()
    for one in train:
        services.add(one.inputs[ABOUT]["service"])
        if (own := wording(one.target[0])) in asked:
            often[own] += 1
    return Known(frozenset(services), often)


def _slices(case: Case, example: Example, facts: Known) -> dict[str, str]:
    """Place in the dialogue, service and act, what was copied, repetition, and what train has word for word."""
    history, about, text = example.inputs["history"], example.inputs[ABOUT], case.predicted[0][2]
    found = {
        **histories.slices(history),
        "names and numbers": _copied(" ".join(turn["text"] for turn in history), example.target[0], text),
        "repetition": "repeats itself" if repeats(words(text)) else "none",
        "written response in train": _times(facts.often[wording(text)]),
        "gold response in train": _times(facts.often[wording(example.target[0])]),
    }
    if about["service"]:
        found["service"] = about["service"]
        found["service in train"] = "seen" if about["service"] in facts.services else "unseen"
    if about["act"]:
        found["act"] = about["act"]
    if example.document is not None:
        found["document"] = example.document
    return found


def _times(number: int) -> str:
    return binned(number, (0, 1, 2, 10), ("never", "once", "2 to 9 times", "10 times or more"))


def _copied(history: str, gold: str, text: str) -> str:
    """Whether the numbers and names that the history and the gold response share stand in the text."""
    shared = {name.casefold() for name in set(COPIED.findall(history)) & set(COPIED.findall(gold))}
    if not shared:
        return "none to copy"
    kept = len(shared & set(PIECE.findall(text.casefold())))
    return "all copied" if kept == len(shared) else "some lost" if kept else "all lost"


HEADLINE, BLEU = chrf(lowercase=True), bleu(lowercase=True)
ANALYSIS = replace(by_fault(HEADLINE, fault_of(nearness, FAR), _slices, nearness), facts=_facts)
confidences, confusion = no_confidences, no_confusion
