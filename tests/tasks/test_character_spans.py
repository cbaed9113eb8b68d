"""Spans of a raw row: what is taken, and each way in which they can be broken."""

from collections import Counter
from typing import Any

import pytest

from tasks import character_spans
from tasks.errors import Defect
from tasks.records import Row

TEXT = "Angela Merkel visited Toyota ."


def row(spans: Any, text: Any = TEXT, field: str = "spans") -> Row:
    return Row("x.jsonl", 3, None, {"text": text, field: spans})


@pytest.mark.parametrize("field", ["spans", "entities"])
def test_objects_and_lists_are_read_in_order(field: str) -> None:
    repairs: Counter[str] = Counter()
    given = [[22, 28, "ORG"], {"start": 0, "end": 13, "label": "PER", "text": "Angela Merkel"}]
    assert character_spans.read(row(given, field=field), "text", "auto", repairs) == (
        TEXT,
        [(0, 13, "PER"), (22, 28, "ORG")],
    )
    assert not repairs


def test_fields_of_other_names_are_read_when_params_name_them() -> None:
    entry = {"start": 22, "end": 28, "label": "ORG", "value": TEXT[22:28]}
    given = Row("a.json", 1, None, {"content": TEXT, "annotations": [entry]})
    assert character_spans.read(given, "content", "annotations", Counter()) == (TEXT, [(22, 28, "ORG")])
    assert character_spans.count(given, "annotations") == 1
    with pytest.raises(Defect, match="a list in the field 'labels'"):
        character_spans.read(given, "content", "labels", Counter())


def test_white_space_at_an_edge_is_left_out_and_counted() -> None:
    repairs: Counter[str] = Counter()
    assert character_spans.read(row([[21, 29, "ORG"]]), "text", "auto", repairs)[1] == [(22, 28, "ORG")]
    assert repairs == {"white space at the edge of a span was left out": 1}


@pytest.mark.parametrize(
    ("spans", "kind", "message"),
    [
        ([[0, 31, "X"]], "span outside the text", "span 0 to 31 (X) lies outside the text of 30 characters; mend its"),
        ([[-1, 3, "X"]], "span outside the text", "span -1 to 3 (X) lies outside"),
        ([[5, 3, "X"]], "span outside the text", "span 5 to 3 (X) lies outside"),
        ([[3, 3, "X"]], "empty span", "span 3 to 3 (X) holds no characters"),
        ([[6, 7, "X"]], "empty span", "span 6 to 7 (X) holds no characters"),
        ([[0, 6, "X"], [0, 6, "X"]], "doubled span", "spans 0 to 6 (X) and 0 to 6 (X) overlap; leave one"),
        ([[0, 13, "X"], [7, 13, "Y"]], "nested spans", "spans 0 to 13 (X) and 7 to 13 (Y) are nested; leave one"),
        ([[0, 13, "X"], [0, 6, "Y"]], "nested spans", "spans 0 to 6 (Y) and 0 to 13 (X) are nested"),
        ([[7, 28, "X"], [0, 8, "Y"]], "overlapping spans", "spans 0 to 8 (Y) and 7 to 28 (X) overlap"),
        ([[0, 6, ""]], "wrong type", "span [0, 6, '']; write"),
        ([[0, 6.0, "X"]], "wrong type", "span [0, 6.0, 'X']"),
        ([[False, 6, "X"]], "wrong type", "span [False, 6, 'X']"),
        ([{"start": 0, "label": "X"}], "wrong type", "span {'start': 0, 'label': 'X'}"),
        (["x"], "wrong type", "span 'x'"),
        (
            [{"start": 1, "end": 7, "label": "X", "value": "Angela"}],
            "span does not fit",
            "span 1 to 7 (X) holds 'ngela '",
        ),
        (None, "missing field", "the spans should be a list in one of the fields 'spans' and 'entities'"),
        ({"a": 1}, "missing field", "the spans should be a list"),
    ],
)
def test_broken_spans_are_named_with_their_gold(spans: Any, kind: str, message: str) -> None:
    repairs: Counter[str] = Counter()
    with pytest.raises(Defect) as caught:
        character_spans.read(row(spans), "text", "auto", repairs)
    assert caught.value.kind == kind
    assert str(caught.value).startswith(f"x.jsonl:3: {message}")
    assert caught.value.entities == (len(spans) if isinstance(spans, list) else 0)
    assert not repairs


@pytest.mark.parametrize("text", [None, "", " \n", ["a"]])
def test_a_row_without_text_is_refused(text: Any) -> None:
    with pytest.raises(Defect, match="'text' holds"):
        character_spans.read(row([], text=text), "text", "auto", Counter())


def test_messages_stay_short() -> None:
    assert len(character_spans.short("x" * 1000)) == 60
