"""Responses that are written: what is refused, what of a history the model reads, and how a line is answered."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tasks.adapters.dialogue_generation import adapter
from tasks.duplicates import Duplicates
from tasks.errors import Defect, UserError
from tasks.models import load_tokenizer
from tasks.params_file import check
from tasks.records import ABOUT, Example, Row
from tasks.text_to_text import BREAK
from tasks.yaml_files import read_yaml

ROOT = Path(__file__).parents[3]
TURN = {"role": "user", "text": "who visited Toyota"}


def options(**changes: Any) -> Any:
    return check(adapter.options, read_yaml(ROOT / "params.yaml")["dialogue_generation"] | changes, Path("params.yaml"))


def example(*turns: str, gold: str = "Merkel", **about: str) -> Example:
    history = [{"role": role, "text": text} for role, text in zip(("user", "system") * 9, turns, strict=False)]
    return Example("a:1", None, {"history": history, ABOUT: about}, [gold])


@pytest.mark.parametrize(
    ("fields", "kind", "message"),
    [
        ({"response": "Merkel"}, "no history", "'history' holds 'None' instead of turns"),
        ({"history": [TURN, {"role": "system"}], "response": "Merkel"}, "broken turn", "the text of a turn is 'None'"),
        ({"history": [TURN], "response": " "}, "no response", "'response' holds ' '"),
    ],
)
def test_a_broken_row_is_refused_with_its_place_and_the_block_is_named(
    fields: dict[str, Any], kind: str, message: str
) -> None:
    row = Row("a.jsonl", 3, None, fields)
    with pytest.raises(Defect, match=message) as caught:
        adapter.parse(row, options(), {}, Counter())
    assert (caught.value.kind, caught.value.place) == (kind, "a.jsonl:3")
    assert caught.value.entities == adapter.raw_items(row, options(), {}) == int("response" in fields)
    assert kind == "broken turn" or "dialogue_generation." in str(caught.value)


def test_a_row_keeps_service_and_act_beside_what_is_read_and_a_response_is_one_line() -> None:
    repairs: Counter[str] = Counter()
    fields = {"history": [TURN], "response": "Mer\nkel", "service": "Visits", "act": "TELL"}
    made = adapter.parse(Row("a.jsonl", 1, "d", fields), options(), {}, repairs)
    inputs = {"history": [TURN], ABOUT: {"service": "Visits", "act": "TELL"}}
    assert made == Example("a.jsonl:1", "d", inputs, ["Mer kel"])
    assert repairs == {BREAK: 1}


def test_what_no_model_reads_makes_no_history_another() -> None:
    seen = Duplicates(["train"])
    for number, act in enumerate(("TELL", "ASK"), start=1):
        inputs = {"history": [TURN], ABOUT: {"act": act}}
        seen.add("train", Example(f"a:{number}", None, inputs, ["Merkel"]))
    assert seen.summary()["train"]["count"] == 1


def test_a_long_history_keeps_its_end_behind_the_prefix(bert_folder: Path) -> None:
    tokenizer = load_tokenizer(str(bert_folder), {})
    asked = example("kestrel freight moves boxes", "in nagoya", "visited graz", gold="angela")
    (short,) = adapter.surround([asked], options(turns=2, prefix="the "), 64)
    assert short.inputs["text"] == "system: in nagoya user: visited graz"
    (window,) = adapter.encode([short], tokenizer, [], 64, 0)
    whole = tokenizer.decode(window.input_ids)
    assert whole.startswith("[CLS] the s")
    assert whole.endswith("visited graz [SEP]")
    (window,) = adapter.encode([short], tokenizer, [], 8, 0)
    assert tokenizer.decode(window.input_ids).startswith("[CLS] the ")
    assert tokenizer.decode(window.input_ids).endswith("visited graz [SEP]")
    assert len(window.input_ids) == 8
    assert tokenizer.decode(window.labels) == "[CLS] angela [SEP]"
    with pytest.raises(UserError, match="max_length: 3 holds no sub-word"):
        adapter.encode([short], tokenizer, [], 3, 0)


def test_a_line_asks_with_its_history_and_another_one_is_refused() -> None:
    made = adapter.read('{"history": [{"role": "user", "text": "who", "mood": "good"}]}', "0")
    assert made.inputs["history"] == [{"role": "user", "text": "who"}]
    assert adapter.show(made.inputs, ["Merkel"]) == [("user: who", None), ("Merkel", "reference")]
    for line in ("who", "{}", '{"history": []}', '{"history": [{"role": "user"}]}', "[1]"):
        with pytest.raises(UserError, match="a response is written to a history"):
            adapter.read(line, "0")


def test_histories_are_alike_by_their_last_turns() -> None:
    assert adapter.likeness is not None
    assert adapter.likeness(example("a", "b", "c", "d")).text == "b c d"
