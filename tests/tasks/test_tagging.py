"""Rows of every form become words with IOB2 tags; what cannot is refused with its place, value and gold."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import tagging
from tasks.errors import Defect, UserError
from tasks.records import Example, Row

AUTO: dict[str, Any] = {
    "format": "auto",
    "token_column": 0,
    "tag_column": -1,
    "token_field": "tokens",
    "tag_field": "tags",
    "text_field": "text",
    "spans_field": "auto",
    "context": "none",
    "scheme": "auto",
}


def options(**changes: Any) -> tagging.TokenClassification:
    return tagging.TokenClassification(**{**AUTO, **changes})


def columns(*lines: str, line: int = 1) -> Row:
    return Row("x.conll", line, "d", {"columns": [text.split(" ") for text in lines]})


def fields(name: str = "x.jsonl", /, **values: Any) -> Row:
    return Row(name, 4, None, values)


def parsed(row: Row, setting: tagging.TokenClassification, others: list[Row] | None = None) -> Example:
    facts = tagging.survey([row, *(others or [])], setting)
    return tagging.parse(row, setting, facts, Counter())


def refused(row: Row, setting: tagging.TokenClassification, others: list[Row] | None = None) -> Defect:
    with pytest.raises(Defect) as caught:
        parsed(row, setting, others)
    assert caught.value.entities == tagging.raw_items(row, setting, {})
    return caught.value


def test_columns_are_chosen_from_either_end() -> None:
    row = columns("Angela NNP B-NP I-PER", "in IN B-PP O", "Nagoya NNP I-NP I-LOC", line=7)
    assert parsed(row, options()) == Example(
        "x.conll:7", "d", {"words": ["Angela", "in", "Nagoya"]}, ["B-PER", "O", "B-LOC"]
    )
    chunks = parsed(row, options(token_column=1, tag_column=2, scheme="IOB2"))
    assert chunks.inputs == {"words": ["NNP", "IN", "NNP"]}
    assert chunks.target == ["B-NP", "B-PP", "B-NP"]


@pytest.mark.parametrize(
    "row",
    [
        fields(tokens=["Angela", "in"], tags=["B-PER", "O"]),
        fields("x.csv", tokens='["Angela", "in"]', tags="['B-PER', 'O']"),
        fields("x.csv", tokens="Angela  in", tags="B-PER O"),
        fields("x.json", text="Angela in", spans=[[0, 6, "PER"]]),
        fields(text="Angela in", entities=[{"start": 0, "end": 7, "label": "PER"}]),
    ],
)
def test_every_form_of_a_row_gives_the_same_example(row: Row) -> None:
    example = parsed(row, options())
    assert example == Example(row.place, None, {"words": ["Angela", "in"]}, ["B-PER", "O"])
    assert tagging.raw_items(row, options(), {}) == 1


def test_format_spans_prefers_the_text() -> None:
    row = fields(text="a b", spans=[], tokens=["c"], tags=["O"])
    assert parsed(row, options()).inputs == {"words": ["c"]}
    assert parsed(row, options(format="spans")).inputs == {"words": ["a", "b"]}


def test_a_cell_that_only_looks_like_a_list_is_words() -> None:
    assert parsed(fields("x.csv", tokens="[ 1 ]", tags="O O O"), options()).inputs == {"words": ["[", "1", "]"]}


def test_the_scheme_is_found_over_all_rows_and_params_outrank_it() -> None:
    rows = [columns("a I-X", "b I-X", "c B-X"), columns("a I-X"), columns("a B-X")]
    assert tagging.survey(rows, options()) == {"columns": {"x.conll": 2}, "scheme": "IOB1"}
    assert tagging.survey(rows, options(scheme="BMES"))["scheme"] == "BMES"


def test_repairs_are_counted_and_entities_kept() -> None:
    rows = [columns("a B-X", "b I-X"), columns("a O", "b I-X")]
    facts = tagging.survey(rows, options(scheme="IOB2"))
    repairs: Counter[str] = Counter()
    assert [tagging.parse(row, options(), facts, repairs).target for row in rows] == [["B-X", "I-X"], ["O", "B-X"]]
    assert repairs == {"I- after O or another type became B-": 1}


@pytest.mark.parametrize(
    ("row", "kind", "message"),
    [
        (
            columns("a B-X", "b NN O", "c B-Y", line=5),
            "broken columns",
            "x.conll:6: 3 columns ('b NN O') where most words of the file have 2; mend the line",
        ),
        (columns("a O", "B-X"), "broken columns", "x.conll:2: 1 columns ('B-X') where"),
        (columns(" O"), "broken columns", "x.conll:1: the word is empty in ' O'"),
        (columns("a "), "broken columns", "x.conll:1: the tag is empty in 'a '"),
        (
            columns("a B-X", "b PER", "c PER"),
            "unknown prefix",
            "x.conll:2: tag 'PER' of word 'b' is none of IOB2 (O, B-TYPE, I-TYPE); mend it or set token_class",
        ),
        (fields(tokens=["a"], tags=["U-X"]), "unknown prefix", "x.jsonl:4: tag 'U-X' of word 'a' is none of IOB2"),
        (fields(tokens=["a"], tags=["O", "B-X"]), "length mismatch", "x.jsonl:4: 1 in 'tokens' but 2 in 'tags'; give"),
        (fields(tokens=[], tags=[]), "no words", "x.jsonl:4: 'tokens' is empty; take the row out"),
        (
            fields(tokens=["a"], tags=[3]),
            "wrong type",
            "x.jsonl:4: 'tags' holds 3, which is not text; write tags by name (class ids",
        ),
        (fields(tokens=["a", None], tags=["O", "O"]), "wrong type", "x.jsonl:4: 'tokens' holds None, which is not"),
        (fields(tokens=7, tags=["B-X"]), "wrong type", "x.jsonl:4: 'tokens' holds 7, which is not text"),
        (fields(words=["a"], tags=["B-X"]), "missing field", "x.jsonl:4: no field 'tokens'; there are: words, tags;"),
        (fields(tokens=["a"]), "missing field", "x.jsonl:4: no field 'tags'; there are: tokens; set"),
        (fields(), "missing field", "x.jsonl:4: no field 'tokens'; there are: none"),
        (fields(text="ab", spans=[[0, 3, "X"]]), "span outside the text", "x.jsonl:4: span 0 to 3 (X) lies outside"),
    ],
)
def test_a_row_that_cannot_be_used_is_refused_with_place_value_remedy_and_gold(
    row: Row, kind: str, message: str
) -> None:
    usual = columns("a O", "b O", "c B-X", "d O", "e O", "f B-Y")
    defect = refused(row, options(scheme="IOB2"), [usual])
    assert defect.kind == kind
    assert str(defect).startswith(message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tag_column": 2}, "x.conll: token_classification.tag_column is 2, but the file has 2 columns"),
        ({"token_column": -3}, "x.conll: token_classification.token_column is -3, but"),
        ({"token_column": 1}, "x.conll: token_classification.tag_column -1 is the word's own of 2 columns"),
    ],
)
def test_a_column_that_no_row_has_is_the_params_fault(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        parsed(columns("a O"), options(**changes))
    assert not isinstance(caught.value, Defect)
    assert str(caught.value).startswith(message)


def test_the_survey_holds_no_row() -> None:
    alive = 0

    class Counted(dict[str, Any]):
        def __init__(self) -> None:
            nonlocal alive
            alive += 1
            super().__init__(columns=[["a", "B-X"]])

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def rows() -> Any:
        for line in range(1000):
            assert alive <= 2
            yield Row("x.conll", line, None, Counted())

    assert tagging.survey(rows(), options())["scheme"] == "IOB2"


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.sampled_from(["B-X", "O", "[", '["a"]']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["start", "end", "label"]), inner),
    max_leaves=6,
)


@given(
    values=st.dictionaries(st.sampled_from(["tokens", "tags", "text", "spans", "entities", "columns"]), junk),
    form=st.sampled_from(["auto", "spans"]),
)
def test_any_object_is_an_example_or_a_defect_with_all_its_gold(values: dict[str, Any], form: str) -> None:
    row, setting = Row("x.jsonl", 1, None, values), options(format=form)
    facts = tagging.survey([row], setting)
    raw = tagging.raw_items(row, setting, facts)
    try:
        example = tagging.parse(row, setting, facts, Counter())
    except Defect as defect:
        assert defect.entities == raw
    else:
        assert tagging.items(example.target).total() == raw
        assert len(example.inputs["words"]) == len(example.target) > 0


def test_items_classes_and_show() -> None:
    target = ["B-PER", "I-PER", "O", "B-LOC", "B-LOC"]
    words = ["Angela", "Merkel", "in", "Graz", "Wien"]
    assert tagging.items(target) == {"PER": 1, "LOC": 2}
    assert tagging.classes(["LOC", "PER"]) == ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]
    assert tagging.show({"words": words}, target) == [
        ("Angela Merkel", "PER"),
        ("in", None),
        ("Graz", "LOC"),
        ("Wien", "LOC"),
    ]
    assert tagging.show({"words": ["a", "b"]}, ["O", "O"]) == [("a b", None)]


def test_the_format_comes_from_the_ending_or_from_params() -> None:
    assert tagging.source("a.txt", options()) == "conll"
    assert tagging.source("a.docx", options(format="jsonl")) == "jsonl"
    with pytest.raises(UserError, match=r"a\.docx: the ending '\.docx' names no format; set token_classification"):
        tagging.source("a.docx", options())
