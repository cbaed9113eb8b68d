"""Scores of answers to questions: F1 over tokens (the headline) and exact match, as the official scripts count them.

Rajpurkar et al. 2016 and 2018 (SQuAD 1.1 and 2.0); characters instead of words for Chinese and Japanese, as Cui et al.
2019 (CMRC 2018) and Lewis et al. 2020 (MLQA). An answer counts by the gold answer that it comes nearest to. Where there
is no answer, saying so counts 1 and anything else 0.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.records import Example, Prediction
from tasks.scoring import intervals
from tasks.scoring.cases import RIGHT, Case
from tasks.scoring.figures import means, means_by_type
from tasks.scoring.measures import Measure, counted, mean
from tasks.scoring.selection import answer_tokens, best_overlap, texts
from tasks.scoring.wholes import binned, by_kind, token_table

__all__ = ["ANALYSIS", "HEADLINE", "baselines", "confidences", "confusion", "score", "token_table"]

Floats = NDArray[np.float64]

ANSWER, NONE = "answer", "no answer"
INVENTED, REFUSED = "answered the unanswerable", "found no answer"
TOO_LONG, TOO_SHORT, SHIFTED, ELSEWHERE = "answer too long", "answer too short", "answer shifted", "another answer"
FIGURES = ("answer_precision", "answer_recall", "answer_f1", "exact_match", "answer_f1_lcs")
BY_TYPE = {"precision": 0, "recall": 1, "f1": 2, "exact_match": 3}  # columns of FIGURES
WORDS = ("what", "who", "whom", "whose", "which", "when", "where", "why", "how")  # question words that make slices


def score(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """F1 and exact match with 95 % intervals, rounded to six decimals, of all questions, and of those with answers.

    ``answer_f1_lcs`` counts the longest run of tokens that both share instead of all shared tokens, as the official
    script of CMRC 2018 does.

    Args:
        predictions: gold is a list of acceptable answers with ``text``, predicted a list of one or none.
    """
    rows = _figures(predictions)
    groups = intervals.group_ids(predictions)
    kinds = [_type(one.gold) for one in predictions]
    return {
        **means(rows, groups, {name: column for column, name in enumerate(FIGURES)}),
        "gold_entities": len(predictions),
        "mode": "best of the gold answers",
        "per_type": means_by_type(rows, groups, kinds, BY_TYPE),
        "predicted_entities": sum(bool(one.predicted) for one in predictions),
        "scheme": "spans",
        "sentences": len(predictions),
    }


def f1_counts(predictions: Sequence[Prediction]) -> Floats:
    """F1 of each question and 1 for it, shape (n, 2)."""
    return counted(_figures(predictions)[:, 2])


def confidences(predictions: Sequence[Prediction]) -> tuple[Floats, NDArray[np.bool_]]:
    """How sure the model is of each answer, none among them, and whether it matches exactly, (n,) both."""
    sure = np.array([one.confidence[0] for one in predictions], np.float64)
    return sure, _figures(predictions)[:, 3].astype(np.bool_)


def baselines(train: Iterable[Example], examples: Iterable[Example]) -> dict[str, list[Prediction]]:  # noqa: ARG001
    """Whole sentences of the context: that which shares most words with the question, and the first."""
    given = list(examples)
    answers = {
        "sentence": [_nearest(one.inputs) for one in given],
        "first": [next(filter(str.strip, _sentences(one.inputs["context"])), "") for one in given],
    }
    return {
        name: [
            Prediction(one.id, one.target, [{"start": 0, "text": text}], [1.0], one.document)
            for one, text in zip(given, texts, strict=True)
        ]
        for name, texts in answers.items()
    }


def confusion(predictions: Sequence[Prediction]) -> list[tuple[str, str]]:
    """Whether gold and prediction hold an answer."""
    return [(_type(one.gold), _type(one.predicted)) for one in predictions]


def _nearest(inputs: dict[str, Any]) -> str:
    question = set(answer_tokens(inputs["question"]))
    sentences = [part for part in _sentences(inputs["context"]) if part.strip()]
    return max(sentences, key=lambda part: len(question & set(answer_tokens(part))), default="")


def _sentences(text: str) -> list[str]:
    for mark in ("。", "！", "？", ". ", "! ", "? "):
        text = text.replace(mark, mark + "\n")
    return text.split("\n")


def _figures(predictions: Sequence[Prediction]) -> Floats:
    """FIGURES of each question, (n, 5)."""
    rows = np.zeros((len(predictions), len(FIGURES)))
    for row, one in zip(rows, predictions, strict=True):
        gold, given = texts(one.gold), texts(one.predicted)
        tokens = answer_tokens(given[0])
        wanted = [answer_tokens(text) for text in gold]
        row[:3] = best_overlap(gold, given)
        row[3] = any(tokens == other for other in wanted)
        row[4] = max(_common_run(other, tokens) for other in wanted)
    return rows


def _common_run(gold: list[str], predicted: list[str]) -> float:
    if not gold or not predicted:
        return float(not gold and not predicted)
    match = SequenceMatcher(None, gold, predicted, autojunk=False).find_longest_match()
    return 2 * match.size / (len(gold) + len(predicted))


def _type(answers: Sequence[Any]) -> str:
    return ANSWER if answers else NONE


def _kind(one: Prediction) -> str:
    """The kind of an error, by the places of the first gold answer and the prediction."""
    if best_overlap(texts(one.gold), texts(one.predicted))[2] == 1.0:
        return RIGHT
    if not one.gold:
        return INVENTED
    if not one.predicted:
        return REFUSED
    (start, end), (first, last) = _place(one.gold[0]), _place(one.predicted[0])
    if last <= start or end <= first:
        return ELSEWHERE
    if first <= start and end <= last:
        return TOO_LONG
    return TOO_SHORT if start <= first and last <= end else SHIFTED


def _place(answer: dict[str, Any]) -> tuple[int, int]:
    return answer["start"], answer["start"] + len(answer["text"])


def _slices(case: Case, example: Example, _facts: None) -> dict[str, str]:  # noqa: ARG001
    """Question word, length of the first gold answer and where it stands."""
    words = answer_tokens(example.inputs["question"])
    found = {"question word": next((word for word in words if word in WORDS), "other")}
    if example.target:
        length = len(answer_tokens(example.target[0]["text"]))
        found["answer length"] = binned(
            length, (0, 2, 4, 8, 16), ("1 token", "2 or 3", "4 to 7", "8 to 15", "16 or more")
        )
        share = example.target[0]["start"] / max(len(example.inputs["context"]), 1)
        found["position"] = "first third" if share < 1 / 3 else "second third" if share < 2 / 3 else "last third"
    if example.document is not None:
        found["document"] = example.document
    return found


HEADLINE = Measure("answer_f1", f1_counts, mean)
ANALYSIS = replace(
    by_kind(HEADLINE, (ELSEWHERE, TOO_LONG, TOO_SHORT, SHIFTED, INVENTED, REFUSED), _kind, _type), slices=_slices
)
