"""Which sentences are shown, in which order, and what is marked in them."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import UserError
from tasks.records import Example, Prediction
from tasks.reporting.mistakes import Mistakes, worst_mistakes


def show(inputs: dict[str, Any], target: Sequence[str]) -> list[tuple[str, str | None]]:
    """One run per word; a tag that is not O is its label."""
    return [(word, None if tag == "O" else tag) for word, tag in zip(inputs["words"], target, strict=True)]


def find(*rows: tuple[str, str, list[float]], most: int = 9, show_text: bool = True) -> Mistakes:
    """Rows of gold and predicted tags, one letter each, and confidences."""
    examples = [
        Example(f"f:{n}", None, {"words": [f"w{i}" for i in range(len(gold))]}, list(gold))
        for n, (gold, _, _) in enumerate(rows)
    ]
    predictions = [
        Prediction(f"f:{n}", list(gold), list(predicted), sure) for n, (gold, predicted, sure) in enumerate(rows)
    ]
    return worst_mistakes(examples, predictions, show, most=most, show_text=show_text)


def test_surest_mistakes_come_first_and_ties_keep_the_order_of_the_data() -> None:
    found = find(
        ("OP", "OO", [0.99, 0.5]),  # sure of the right word only
        ("OP", "PP", [0.7, 0.9]),
        ("OP", "OP", [1.0, 1.0]),
        ("PP", "OO", [0.2, 0.7]),
    )
    assert [(mistake.id, mistake.confidence) for mistake in found.worst] == [("f:1", 0.7), ("f:3", 0.7), ("f:0", 0.5)]
    assert (found.wrong, found.examples) == (3, 4)
    assert [(part.text, part.gold, part.predicted, part.confidence) for part in found.worst[1].parts] == [
        ("w0", "P", "O", 0.2),
        ("w1", "P", "O", 0.7),
    ]


@pytest.mark.parametrize("most", [0, 1, 2])
def test_all_are_counted_whatever_is_shown(most: int) -> None:
    found = find(("P", "O", [0.3]), ("P", "P", [0.9]), ("P", "Q", [0.4]), most=most)
    assert [mistake.id for mistake in found.worst] == ["f:2", "f:0"][:most]
    assert (found.wrong, found.examples) == (2, 3)


def test_items_that_both_have_are_right() -> None:
    (mistake,) = find(("POQ", "PQR", [0.9, 0.8, 0.7])).worst
    assert [(run.label, run.right) for run in mistake.gold if run.label] == [("P", True), ("Q", False)]
    assert [(run.label, run.right) for run in mistake.predicted if run.label] == [
        ("P", True),
        ("Q", False),
        ("R", False),
    ]


def test_without_permission_there_is_no_text() -> None:
    (mistake,) = find(("PO", "OP", [0.9, 0.8]), show_text=False).worst
    assert (mistake.gold, mistake.predicted, mistake.parts, mistake.wrong) == ((), (), (), 2)


def test_a_target_that_is_no_list_is_one_part() -> None:
    examples = [Example("f:1", None, {"text": "late again"}, "praise")]
    predictions = [Prediction("f:1", "praise", "complaint", [0.75])]
    found = worst_mistakes(
        examples, predictions, lambda inputs, target: [(inputs["text"], target)], most=1, show_text=True
    )
    (part,) = found.worst[0].parts
    assert (part.gold, part.predicted, part.confidence) == ("praise", "complaint", 0.75)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["f:1"], "nothing where the prepared data has f:2"),
        (["f:1", "f:3"], "f:3 where the prepared data has f:2"),
        (["f:1", "f:2", "f:9"], "f:9 where the prepared data has nothing"),
    ],
)
def test_predictions_of_other_data_are_refused(ids: list[str], message: str) -> None:
    examples = [Example(name, None, {"words": ["a"]}, ["O"]) for name in ("f:1", "f:2")]
    predictions = [Prediction(name, ["O"], ["O"], [0.9]) for name in ids]
    with pytest.raises(UserError, match=message):
        worst_mistakes(examples, predictions, show, most=1, show_text=True)


def test_predictions_of_another_length_are_refused() -> None:
    with pytest.raises(UserError, match="f:0: 2 gold parts, 1 predicted and 2 confidences"):
        find(("PO", "P", [0.9, 0.8]))


@given(
    st.lists(
        st.integers(1, 5).flatmap(
            lambda size: st.tuples(
                st.text("OPQ", min_size=size, max_size=size),
                st.text("OPQ", min_size=size, max_size=size),
                st.lists(st.sampled_from([0.1, 0.5, 0.9]), min_size=size, max_size=size),
            )
        ),
        max_size=8,
    ),
    st.integers(0, 9),
)
def test_it_is_the_head_of_the_sorted_whole(rows: list[tuple[str, str, list[float]]], most: int) -> None:
    def surest(row: tuple[str, str, list[float]]) -> float:
        return max((sure for gold, guess, sure in zip(*row, strict=True) if gold != guess), default=-1.0)

    ranked = sorted((n for n, row in enumerate(rows) if row[0] != row[1]), key=lambda n: -surest(rows[n]))
    assert [mistake.id for mistake in find(*rows, most=most).worst] == [f"f:{n}" for n in ranked[:most]]
