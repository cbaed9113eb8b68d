from pathlib import Path

import pytest

from tasks.records import Prediction
from tasks.scoring.confusion import confusion
from tasks.scoring.entities import score
from tasks.scoring.tokens import token_table

SAMPLE = Path(__file__).parents[4] / "shared" / "data" / "scoring" / "conll2000_sample_output.txt"


def predictions(*pairs: tuple[str, str]) -> list[Prediction]:
    return [
        Prediction(str(i), gold.split(), predicted.split(), [1.0] * len(gold.split()))
        for i, (gold, predicted) in enumerate(pairs)
    ]


def test_strict_and_lenient_differ_where_an_entity_starts_with_i() -> None:
    scores = score(predictions(("B-PER I-PER O B-LOC", "I-PER I-PER O B-LOC")))
    assert scores["entity_f1"] == pytest.approx(2 * 1 / 3, abs=1e-6)
    assert scores["entity_f1_lenient"] == 1.0
    assert (scores["mode"], scores["scheme"]) == ("strict", "IOB2")
    assert scores["per_type"]["PER"] == {"f1": 0.0, "precision": 0.0, "recall": 0.0, "support": 1}
    assert (scores["gold_entities"], scores["sentences"], scores["words"]) == (2, 1, 4)


def test_no_entity_anywhere_scores_zero_without_a_warning() -> None:
    scores = score(predictions(("O O", "O O")))
    assert scores["entity_f1"] == scores["entity_f1_lenient"] == 0.0
    assert scores["per_type"] == {}


def test_gold_as_prediction_is_perfect() -> None:
    scores = score(predictions(("B-PER I-PER B-PER", "B-PER I-PER B-PER"), ("O B-X", "O B-X")))
    assert scores["entity_f1"] == scores["entity_precision"] == scores["entity_recall"] == 1.0
    assert scores["gold_entities"] == scores["predicted_entities"] == 3


@pytest.mark.skipif(not SAMPLE.exists(), reason="the public CoNLL sample is not beside the repository")
def test_lenient_equals_conlleval_on_its_own_sample() -> None:
    sentences: list[list[list[str]]] = [[]]
    for line in SAMPLE.read_text().splitlines():
        if line.strip():
            sentences[-1].append(line.split())
        elif sentences[-1]:
            sentences.append([])
    pairs = [(" ".join(row[-2] for row in rows), " ".join(row[-1] for row in rows)) for rows in sentences if rows]
    scores = score(predictions(*pairs))
    assert round(100 * scores["entity_f1_lenient"], 2) == 74.35


def test_token_table_counts_o() -> None:
    table = token_table(predictions(("B-PER O O O", "O O O O")))
    assert table["accuracy"] == 0.75
    assert table["labels"]["O"] == {
        "precision": 0.75,
        "recall": 1.0,
        "f1-score": pytest.approx(6 / 7, abs=1e-6),
        "support": 3,
    }
    assert table["labels"]["B-PER"]["support"] == 1


def test_confusion_matches_overlapping_entities_and_names_the_rest() -> None:
    pairs = confusion(predictions(("B-PER I-PER O B-LOC O O", "B-ORG I-ORG O O O B-MISC")))
    assert sorted(pairs) == [("LOC", "none"), ("PER", "ORG"), ("none", "MISC")]
