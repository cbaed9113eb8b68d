"""Which sentences are shown, in which order, and what is marked in them."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import UserError
from tasks.records import Example, Prediction
from tasks.reporting.mistakes import Mistakes, Twin, worst_mistakes
from tasks.reporting.naming import Naming


def show(inputs: dict[str, Any], target: Sequence[str]) -> list[tuple[str, str | None]]:
    """One run per word; a tag that is not O is its label."""
    return [(word, None if tag == "O" else tag) for word, tag in zip(inputs["words"], target, strict=True)]


def line(number: int, confidence: float, **more: Any) -> dict[str, Any]:
    """A line of mistakes.validation.jsonl about sentence ``number``."""
    return {
        "id": f"f:{number}",
        "kind": "wrong type",
        "type": "P",
        "predicted_type": "Q",
        "text": "w0",
        "confidence": confidence,
        "runner_up": "P",
        "runner_up_confidence": 0.1,
        "slices": {"length": "1"},
        "train": [{"id": "t:1", "text": "w0 again", "type": "R"}],
        **more,
    }


def find(*rows: tuple[str, str, list[float]], most: int = 9, show_text: bool = True) -> Mistakes:
    """Rows of gold and predicted tags, one letter each, and the confidence of each error."""
    examples = [
        Example(f"f:{n}", None, {"words": [f"w{i}" for i in range(len(gold))]}, list(gold))
        for n, (gold, _, _) in enumerate(rows)
    ]
    predictions = [
        Prediction(f"f:{n}", list(gold), list(predicted), [0.5] * len(gold))
        for n, (gold, predicted, _) in enumerate(rows)
    ]
    lines = [line(n, sure) for n, (_, _, errors) in enumerate(rows) for sure in errors]
    naming = Naming(show_text=show_text)
    return worst_mistakes(lines, examples, predictions, show, naming, most=most, show_text=show_text)


@pytest.mark.parametrize(
    ("show_text", "quoted", "shown"), [(True, True, "w1"), (True, False, "w1"), (False, False, "w1"), (False, True, "")]
)
def test_a_runner_up_that_is_a_piece_of_text_is_shown_with_texts_alone(
    show_text: bool, quoted: bool, shown: str
) -> None:
    found = worst_mistakes(
        [line(1, 0.9, runner_up="w1")],
        [Example("f:1", None, {"words": ["a"]}, ["O"])],
        [Prediction("f:1", ["O"], ["P"], [0.9])],
        show,
        Naming(show_text=show_text),
        most=2,
        show_text=show_text,
        quoted=quoted,
    )
    assert found.worst[0].errors[0].runner_up == shown


def test_surest_mistakes_come_first_and_ties_keep_the_order_of_the_data() -> None:
    found = find(("OP", "OO", [0.5]), ("OP", "PP", [0.2, 0.7]), ("OP", "OP", []), ("PP", "OO", [0.7]))
    assert [(mistake.id, mistake.confidence) for mistake in found.worst] == [("f:1", 0.7), ("f:3", 0.7), ("f:0", 0.5)]
    assert (found.wrong, found.examples, found.errors) == (3, 4, 4)
    assert [error.confidence for error in found.worst[0].errors] == [0.2, 0.7]


@pytest.mark.parametrize("most", [0, 1, 2])
def test_all_are_counted_whatever_is_shown(most: int) -> None:
    found = find(("P", "O", [0.3]), ("P", "P", []), ("P", "Q", [0.4]), most=most)
    assert [mistake.id for mistake in found.worst] == ["f:2", "f:0"][:most]
    assert (found.wrong, found.examples, found.errors) == (2, 3, 2)


def test_items_that_both_have_are_right() -> None:
    (mistake,) = find(("POQ", "PQR", [0.9])).worst
    assert [(run.label, run.right) for run in mistake.gold if run.label] == [("P", True), ("Q", False)]
    assert [(run.label, run.right) for run in mistake.predicted if run.label] == [
        ("P", True),
        ("Q", False),
        ("R", False),
    ]


def test_an_error_says_what_came_second_and_what_train_holds() -> None:
    found = find(("P", "Q", [0.9]))
    (error,) = found.worst[0].errors
    assert (error.kind, error.gold, error.predicted, error.text) == ("wrong type", "P", "Q", "w0")
    assert (error.runner_up, error.runner_up_confidence) == ("P", 0.1)
    assert error.twins == (Twin("t:1", "w0 again", "R"),)
    assert [found.slices[index] for index in error.slices] == [("length", "1")]
    assert (found.kinds, found.labels) == (["wrong type"], ["P", "Q"])


def test_without_permission_there_is_no_text() -> None:
    found = find(("PO", "OP", [0.9]), show_text=False)
    (mistake,) = found.worst
    (error,) = mistake.errors
    assert (mistake.gold, mistake.predicted, error.text, error.twins) == ((), (), "", ())
    assert found.slices == (("length", "length 1"),)  # a name that nobody vouches for may quote the data


def test_a_target_that_is_no_list_is_drawn_by_its_task() -> None:
    found = worst_mistakes(
        [line(1, 0.9, type="praise", predicted_type="blame", slices={}, train=[])],
        [Example("f:1", None, {"text": "late again"}, "praise")],
        [Prediction("f:1", "praise", "blame", [0.9])],
        lambda inputs, target: [(inputs["text"], target)],
        Naming(show_text=True),
        most=1,
        show_text=True,
    )
    assert [run.label for run in (*found.worst[0].gold, *found.worst[0].predicted)] == ["praise", "blame"]


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
        worst_mistakes([], examples, predictions, show, Naming(show_text=True), most=1, show_text=True)


def test_mistakes_of_other_data_are_refused() -> None:
    examples = [Example("f:1", None, {"words": ["a"]}, ["O"])]
    predictions = [Prediction("f:1", ["O"], ["O"], [0.9])]
    with pytest.raises(UserError, match="1 of 2 wrong examples are not in the prepared data"):
        worst_mistakes(
            [line(1, 0.9), line(2, 0.9)], examples, predictions, show, Naming(show_text=True), most=1, show_text=True
        )


@given(st.lists(st.lists(st.sampled_from([0.1, 0.5, 0.9]), max_size=4), max_size=8), st.integers(0, 9))
def test_it_is_the_head_of_the_sorted_whole(rows: list[list[float]], most: int) -> None:
    ranked = sorted((n for n, row in enumerate(rows) if row), key=lambda n: -max(rows[n]))
    found = find(*(("P", "Q", row) for row in rows), most=most)
    assert [mistake.id for mistake in found.worst] == [f"f:{n}" for n in ranked[:most]]
