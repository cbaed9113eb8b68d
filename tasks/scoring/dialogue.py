"""Scores of chosen responses: recall@1 of 10 (the headline), recall@2 and @5, and the mean reciprocal rank.

Recall@k of n is the share of histories whose own response is among the first k of n candidates (Lowe et al. 2015), the
reciprocal rank is 1 over its place (Voorhees 1999).
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.records import Example, Prediction
from tasks.scoring import histories, intervals
from tasks.scoring.cases import RIGHT, Case
from tasks.scoring.figures import means, means_by_type
from tasks.scoring.measures import Measure, counted, mean
from tasks.scoring.selection import answer_tokens, overlap
from tasks.scoring.wholes import by_kind, token_table

__all__ = ["ANALYSIS", "HEADLINE", "baselines", "confidences", "confusion", "score", "token_table"]

Floats = NDArray[np.float64]

FIGURES = ("recall_at_1", "recall_at_2", "recall_at_5", "mrr")
BY_TYPE = {"precision": 0, "recall": 0, "f1": 0, "mrr": 3}  # columns of FIGURES
NEAR, SAME_ACT, OTHER_SERVICE, OTHER_ACT, OTHER = (
    "nearly the same words",
    "another response of the same act",
    "a response of another service",
    "a response of another act",
    "another response",
)
ALIKE = 0.8  # F1 over tokens from which two responses are nearly the same words


def score(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """The figures with 95 % intervals, rounded to six decimals, of all histories, and recall@1 and rank by service.

    Args:
        predictions: gold and predicted are responses, ``runner_up`` the texts of all other candidates in order.
    """
    rows = _figures(predictions)
    groups = intervals.group_ids(predictions)
    services = [_service(one.gold) for one in predictions]
    sizes = [1 + len(one.runner_up) for one in predictions]
    return {
        **means(rows, groups, {name: column for column, name in enumerate(FIGURES)}),
        "candidates_fewest": min(sizes, default=0),
        "candidates_most": max(sizes, default=0),
        "gold_entities": len(predictions),
        "mode": "one of the candidates",
        "per_type": means_by_type(rows, groups, services, BY_TYPE),
        "predicted_entities": len(predictions),
        "scheme": "selection",
        "sentences": len(predictions),
    }


def recall_counts(predictions: Sequence[Prediction]) -> Floats:
    """1 for each history whose own response is first, and 1 for it, shape (n, 2)."""
    return counted(_figures(predictions)[:, 0])


def rank(one: Prediction) -> int:
    """The place of the own response among the candidates, from 1; 0 where it is none of them."""
    ranked = [one.predicted["text"], *one.runner_up]
    return ranked.index(one.gold["text"]) + 1 if one.gold["text"] in ranked else 0


def confidences(predictions: Sequence[Prediction]) -> tuple[Floats, NDArray[np.bool_]]:
    """How sure the model is of each response that it ranked first, and whether it is the own one, (n,) both."""
    sure = np.array([one.confidence[0] for one in predictions], np.float64)
    return sure, _figures(predictions)[:, 0].astype(np.bool_)


def baselines(train: Iterable[Example], examples: Iterable[Example]) -> dict[str, list[Prediction]]:
    """The candidate whose words are most like those of the last turn, by TF-IDF learned on train, and any candidate.

    TF-IDF is scikit-learn's with sublinear frequencies, compared by cosine; on Schema-Guided Dialogue more turns than
    the last made it worse. ``random`` draws one by a fixed seed: one in ten is right.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    asked = list(examples)
    texts = [text for one in train for text in (_last(one), one.target["text"])]
    words = TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\w+").fit(texts)
    histories = words.transform([_last(one) for one in asked])
    alike: list[Prediction] = []
    chance: list[Prediction] = []
    for row, one in enumerate(asked):
        candidates = one.inputs["candidates"]
        cosines = (words.transform([choice["text"] for choice in candidates]) @ histories[row].T).toarray()[:, 0]
        drawn = random.Random(f"random {one.id}").choice(candidates)
        for found, answer in ((alike, candidates[int(cosines.argmax())]), (chance, drawn)):
            found.append(Prediction(one.id, one.target, answer, [1.0], one.document))
    return {"tfidf": alike, "random": chance}


def confusion(predictions: Sequence[Prediction]) -> list[tuple[str, str]]:
    """The act of the own response and that of the one ranked first; services where no acts are known."""
    return [tuple(one["act"] or _service(one) for one in (pair.gold, pair.predicted)) for pair in predictions]  # type: ignore[misc]


def _last(example: Example) -> str:
    text: str = example.inputs["history"][-1]["text"]
    return text


def _figures(predictions: Sequence[Prediction]) -> Floats:
    """FIGURES of each history, (n, 4)."""
    ranks = np.array([rank(one) for one in predictions], np.float64)
    there = ranks > 0
    columns = [there & (ranks <= most) for most in (1, 2, 5)]
    reciprocal = np.divide(1.0, ranks, out=np.zeros_like(ranks), where=there)
    return np.stack([*(column.astype(np.float64) for column in columns), reciprocal], 1)


def _service(response: dict[str, str]) -> str:
    return response["service"] or "response"


def _kind(one: Prediction) -> str:
    """What was chosen instead of the own response."""
    gold, given = one.gold, one.predicted
    if gold["text"] == given["text"]:
        return RIGHT
    if overlap(answer_tokens(gold["text"]), answer_tokens(given["text"]))[2] >= ALIKE:
        return NEAR
    if gold["service"] != given["service"]:
        return OTHER_SERVICE
    if gold["act"]:
        return SAME_ACT if gold["act"] == given["act"] else OTHER_ACT
    return OTHER


def _slices(case: Case, example: Example, _facts: None) -> dict[str, str]:  # noqa: ARG001
    """How many turns there were and how long they are, and what kind of response is due."""
    found = histories.slices(example.inputs["history"])
    if example.target["act"]:  # the service is the type
        found["act"] = example.target["act"]
    if example.document is not None:
        found["document"] = example.document
    return found


def _mistake(case: Case, example: Example, prediction: Prediction, _facts: None) -> dict[str, Any]:  # noqa: ARG001
    """Services, how sure, and the place of the own response. The texts are drawn from the predictions."""
    return {
        "type": case.type,
        "predicted_type": case.predicted[0][2],
        "confidence": round(prediction.confidence[0], 6),
        "rank": rank(prediction),
    }


HEADLINE = Measure("recall_at_1", recall_counts, mean)
ANALYSIS = replace(
    by_kind(HEADLINE, (NEAR, SAME_ACT, OTHER_SERVICE, OTHER_ACT, OTHER), _kind, _service),
    slices=_slices,
    mistake=_mistake,
)
