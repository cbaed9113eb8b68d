"""Response selection: what is refused, what is read of a history, and which candidate wins."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.adapters.dialogue import HISTORY, OWN, adapter
from tasks.encoding import IGNORED
from tasks.errors import Defect, UserError
from tasks.models import load_tokenizer
from tasks.params_file import check
from tasks.records import Example, Row
from tasks.yaml_files import read_yaml

ROOT = Path(__file__).parents[3]
TURN = {"role": "user", "text": "who visited Toyota"}


def options(**changes: Any) -> Any:
    return check(adapter.options, read_yaml(ROOT / "params.yaml")["dialogue"] | changes, Path("params.yaml"))


def response(text: str) -> dict[str, str]:
    return {"text": text, "service": "", "act": ""}


def example(*turns: str, gold: str, others: tuple[str, ...] = ()) -> Example:
    history = [{"role": role, "text": text} for role, text in zip(("user", "system") * 9, turns, strict=False)]
    return Example(
        "a:1", None, {"history": history, "candidates": [*map(response, others), response(gold)]}, response(gold)
    )


@pytest.mark.parametrize(
    "turns",
    [
        [{"role": "user", "content": "who"}, {"role": "system", "content": "Merkel"}],
        [{"from": "user", "value": "who"}, {"from": "system", "value": "Merkel"}],
        ["who", "Merkel"],
    ],
)
def test_chats_have_their_response_as_the_last_turn(turns: list[Any]) -> None:
    own = options(history_field="messages", response_field="")
    row = Row("a.jsonl", 3, None, {"messages": turns})
    made = adapter.parse(row, own, {}, Counter())
    assert made.inputs["history"] == [{"role": "user", "text": "who"}]
    assert made.target["text"] == "Merkel"
    assert adapter.raw_items(row, own, {}) == 1
    with pytest.raises(Defect, match="instead of turns"):
        adapter.parse(Row("a.jsonl", 3, None, {"messages": turns[:1]}), own, {}, Counter())


@pytest.mark.parametrize(
    ("fields", "kind", "message"),
    [
        ({"response": "Merkel"}, "no history", "'history' holds 'None' instead of turns"),
        ({"history": [], "response": "Merkel"}, "no history", "instead of turns"),
        ({"history": "who", "response": "Merkel"}, "no history", "'who'"),
        ({"history": [TURN, "who"], "response": "Merkel"}, "broken turn", "a turn is 'who'"),
        ({"history": [{"text": "who"}], "response": "Merkel"}, "broken turn", "the role of a turn is 'None'"),
        (
            {"history": [{"role": "user", "text": " "}], "response": "Merkel"},
            "broken turn",
            "the text of a turn is ' '",
        ),
        ({"history": [TURN], "response": None}, "no response", "'response' holds 'None'"),
        ({"history": [TURN], "response": " "}, "no response", "'response' holds ' '"),
    ],
)
def test_a_broken_row_is_refused_with_its_place(fields: dict[str, Any], kind: str, message: str) -> None:
    row = Row("a.jsonl", 3, None, fields)
    with pytest.raises(Defect, match=message) as caught:
        adapter.parse(row, options(), {}, Counter())
    assert (caught.value.kind, caught.value.place) == (kind, "a.jsonl:3")
    assert caught.value.entities == adapter.raw_items(row, options(), {}) == int("response" in fields)


def test_fields_of_other_names_are_read_and_others_left_out() -> None:
    row = Row(
        "a.jsonl", 1, "d", {"context": [TURN | {"mood": "good"}], "answer": "Merkel", "service": 3, "act": "TELL"}
    )
    made = adapter.parse(row, options(history_field="context", response_field="answer"), {}, Counter())
    assert made == Example("a.jsonl:1", "d", {"history": [TURN]}, {"text": "Merkel", "service": "", "act": "TELL"})


def test_only_the_last_turns_are_read() -> None:
    (made,) = adapter.surround([example("a", "b", "c", gold="d")], options(turns=2), 16)
    assert [turn["text"] for turn in made.inputs["history"]] == ["b", "c"]


def test_a_long_history_keeps_its_end_a_response_its_beginning_and_a_text_is_read_once(bert_folder: Path) -> None:
    tokenizer = load_tokenizer(str(bert_folder), {})
    long = "Kestrel Freight moves boxes in Nagoya visited Graz"
    examples = [
        example(long, gold=long, others=("Toyota", "Merkel")),
        example("who", gold="merkel", others=("Toyota",)),
    ]
    windows = adapter.encode(examples, tokenizer, [], 8, 2)
    assert [window.parts[0][1] for window in windows] == [HISTORY, OWN, HISTORY, OWN, 0, 1]
    history, own = (tokenizer.decode(window.input_ids) for window in windows[:2])
    assert history == "[CLS] moves boxes in nagoya visited graz [SEP]"
    assert own.startswith("[CLS] kestrel freight moves")
    assert [window.labels[0] for window in windows] == [0, 1, 2, 3, IGNORED, IGNORED]
    assert all(len(window.labels) == len(window.parts) == len(window.input_ids) <= 8 for window in windows)


def test_equal_responses_have_one_number(bert_folder: Path) -> None:
    examples = [example("who", gold=gold) for gold in ("In Graz", "in  graz", "no")]
    windows = adapter.encode(examples, load_tokenizer(str(bert_folder), {}), [], 32, 2)
    assert [window.labels[0] for window in windows] == [0, 1, 0, 1, 2, 3]


def test_the_nearest_candidate_wins_and_all_others_follow_in_order(bert_folder: Path) -> None:
    asked = [example("who", gold="Merkel", others=("Toyota", "Graz"))]
    windows = adapter.encode(asked, load_tokenizer(str(bert_folder), {}), [], 16, 2)
    vectors = ([1, 0], [0, 2], [1, 0], [0, 1])  # of the history, its own response, Toyota and Graz
    answers = [(window, np.array([row], np.float32)) for window, row in zip(windows, vectors, strict=True)]
    (made,) = adapter.decode(asked, answers, [], options())
    assert (made.predicted["text"], made.runner_up) == ("Toyota", ["Graz", "Merkel"])
    total = np.e + 2
    assert [*made.confidence, *made.runner_up_confidence] == pytest.approx([np.e / total, 1 / total, 1 / total])
    assert [item["rank"] for item in adapter.answer("", asked[0], made)] == [1, 2, 3]


def test_an_example_without_candidates_names_the_stage_that_draws_them() -> None:
    bare = Example("a:1", None, {"history": [TURN]}, response("x"))
    with pytest.raises(UserError, match="a:1: no candidates to choose from; 'dvc repro preprocess'"):
        adapter.decode([bare], [], [], options())


@pytest.mark.parametrize(
    "line", ["who", "{}", '{"history": [], "candidates": ["a"]}', '{"history": [{"role": "user", "text": "a"}]}']
)
def test_a_line_that_is_no_choice_is_refused(line: str) -> None:
    with pytest.raises(UserError, match="among candidates"):
        adapter.read(line, "0")
