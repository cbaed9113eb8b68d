import warnings

from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import f1_score
from seqeval.scheme import IOB2

from tasks.scoring.selection import entity_f1, strict_spans

TAGS = st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"])
PAIRS = st.lists(st.lists(st.tuples(TAGS, TAGS), min_size=1, max_size=12), min_size=1, max_size=6)


def test_spans_start_with_b_only() -> None:
    assert strict_spans(["B-PER", "I-PER", "I-LOC", "O", "I-PER", "B-LOC", "B-LOC"]) == {
        (0, 2, "PER"),
        (5, 6, "LOC"),
        (6, 7, "LOC"),
    }


@settings(max_examples=300, deadline=None)
@given(PAIRS)
def test_equals_seqeval_strict(sentences: list[list[tuple[str, str]]]) -> None:
    gold = [[one for one, _ in pairs] for pairs in sentences]
    predicted = [[other for _, other in pairs] for pairs in sentences]
    if not any(strict_spans(tags) for tags in (*gold, *predicted)):
        assert entity_f1(gold, predicted) == 0.0
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = f1_score(gold, predicted, mode="strict", scheme=IOB2, zero_division=0)
    assert abs(entity_f1(gold, predicted) - reference) < 1e-9


def test_nothing_right_is_zero() -> None:
    assert entity_f1([["O"]], [["O"]]) == 0.0
    assert entity_f1([["B-PER"]], [["B-LOC"]]) == 0.0
    assert entity_f1([["B-PER"]], [["B-PER"]]) == 1.0
