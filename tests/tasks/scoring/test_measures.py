import numpy as np

from tasks.records import Prediction
from tasks.scoring.entities import HEADLINE, score
from tasks.scoring.measures import counted, f1, mean


def test_f1_of_sums_and_of_nothing() -> None:
    assert f1(np.array([[1.0, 2.0, 2.0], [0.0, 0.0, 0.0]])).tolist() == [0.5, 0.0]


def test_the_headline_follows_from_the_counts_of_each_prediction() -> None:
    predictions = [
        Prediction("a:1", ["B-PER", "I-PER", "O"], ["B-PER", "I-PER", "O"], [1.0] * 3),
        Prediction("a:2", ["B-ORG", "O"], ["B-PER", "B-LOC"], [1.0] * 2),
        Prediction("a:3", ["O"], ["O"], [1.0]),
    ]
    assert HEADLINE.counts(predictions).tolist() == [[1, 1, 1], [0, 2, 1], [0, 0, 0]]
    assert round(HEADLINE.of(predictions), 6) == score(predictions)["entity_f1"]


def test_the_mean_of_counted_values_and_of_nothing() -> None:
    assert mean(counted(np.array([1.0, 0.0, 0.5])).sum(axis=0)) == 0.5
    assert mean(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist() == [0.75, 0.0]
