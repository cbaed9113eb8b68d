import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.records import Prediction
from tasks.scoring.cases import RIGHT
from tasks.scoring.entities import HEADLINE
from tasks.scoring.errors import KINDS, cases, kind, pair
from tasks.scoring.selection import strict_spans

TAGS = st.sampled_from(["O", "B-A", "I-A", "B-B", "I-B", "O"])
PAIRS = st.lists(st.tuples(TAGS, TAGS), max_size=14)


def prediction(gold: str, predicted: str) -> Prediction:
    return Prediction("v:1", gold.split(), predicted.split(), [1.0] * len(gold.split()))


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        ("B-A I-A O", "O O O", "missed"),
        ("O O O", "O B-A O", "spurious"),
        ("B-A I-A O", "B-B I-B O", "wrong type"),
        ("O B-A O", "O B-A I-A", "boundary too long"),
        ("O B-A O", "B-A I-A I-A", "boundary too long"),
        ("B-A I-A O", "B-A O O", "boundary too short"),
        ("B-A I-A O", "O B-A O", "boundary too short"),
        ("B-A I-A O", "O B-A I-A", "boundary shifted"),
        ("B-A I-A O", "O B-B I-B", "boundary and type"),
        ("B-A I-A O", "B-B O O", "boundary and type"),
        ("B-A I-A I-A", "B-A O B-A", "split"),
        ("B-A I-A", "B-A B-B", "split"),
        ("B-A B-B", "B-A I-A", "merged"),
    ],
)
def test_one_slip_is_one_error_of_its_kind(gold: str, predicted: str, expected: str) -> None:
    (case,) = cases([prediction(gold, predicted)])
    assert case.kind == expected


def test_every_kind_has_its_example_above() -> None:
    (marks,) = (mark for mark in test_one_slip_is_one_error_of_its_kind.pytestmark if mark.name == "parametrize")
    assert {example[2] for example in marks.args[1]} == set(KINDS)


def test_what_the_words_of_a_right_entity_touch_is_no_part_of_it() -> None:
    found = cases([prediction("B-A B-B O O", "B-A O O B-B")])
    assert [(case.kind, case.place) for case in found] == [
        (RIGHT, (0, 1, "A")),
        ("missed", (1, 2, "B")),
        ("spurious", (3, 4, "B")),
    ]


def test_a_chain_is_cut_where_fewest_words_are_shared() -> None:
    one, two = (0, 3, "A"), (3, 6, "A")
    first, second = (1, 4, "A"), (4, 8, "A")
    assert pair([one, two], [first, second]) == [((one,), (first,)), ((two,), (second,))]
    # Two links over one word each: the one between different types goes.
    one, two = (0, 2, "A"), (2, 4, "A")
    first, second = (1, 3, "A"), (3, 5, "A")
    assert [kind(error) for error in pair([one, two], [first, second])] == ["boundary shifted"] * 2
    assert pair([(0, 2, "B"), two], [first, second]) == [(((0, 2, "B"),), (first,)), ((two,), (second,))]


@given(st.lists(PAIRS, max_size=4))
def test_every_entity_is_right_or_in_exactly_one_error(pairs: list[list[tuple[str, str]]]) -> None:
    predictions = [
        Prediction(f"v:{n}", [gold for gold, _ in rows], [other for _, other in rows], [1.0] * len(rows))
        for n, rows in enumerate(pairs)
    ]
    found = cases(predictions)
    for side in ("gold", "predicted"):
        listed = sorted((case.item, place) for case in found for place in getattr(case, side))
        spans = [(n, span) for n, one in enumerate(predictions) for span in strict_spans(getattr(one, side))]
        assert listed == sorted(spans)
    assert all(case.kind in (*KINDS, RIGHT) for case in found)
    rows = np.zeros((len(predictions), 3))
    for case in found:
        rows[case.item] += case.counts
        assert (case.kind == RIGHT) == (case.counts == case.if_right)
    assert rows.tolist() == HEADLINE.counts(predictions).tolist()


@given(PAIRS)
def test_missed_and_spurious_entities_touch_nothing_of_the_other_side(rows: list[tuple[str, str]]) -> None:
    one = Prediction("v:1", [gold for gold, _ in rows], [other for _, other in rows], [1.0] * len(rows))
    for case in cases([one]):
        if case.kind in ("missed", "spurious"):
            start, end, _ = case.place
            others = strict_spans(one.predicted if case.kind == "missed" else one.gold)
            assert not any(min(end, last) > max(start, first) for first, last, _ in others)
