"""What is special about relations: ways to give two spans, marks in any order, and texts that are too long."""

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tasks.adapters.relation_extraction import _kept, _segments, adapter, encode, parse
from tasks.errors import Defect, UserError
from tasks.models import load_tokenizer
from tasks.params_file import check
from tasks.records import Example, Row
from tasks.sources import Unreadable, reader
from tasks.yaml_files import read_yaml

ROOT = Path(__file__).parents[3]
TEXT = "Kestrel moves boxes in Graz"


def options(**changes: Any) -> Any:
    return check(adapter.options, read_yaml(ROOT / "params.yaml")["relation_extraction"] | changes, Path("params.yaml"))


def parsed(fields: dict[str, Any], repairs: Counter[str] | None = None, **changes: Any) -> Example:
    row = Row("a.jsonl", 7, None, {"label": "r", **fields})
    return parse(row, options(**changes), {}, Counter() if repairs is None else repairs)


TOKENS = {"offsets": "tokens"}
TACRED = {"first_field": "subj", "second_field": "obj", "text_field": "token", "offsets": "tokens_inclusive"}


@pytest.mark.parametrize(
    ("fields", "changes"),
    [
        ({"text": "<e1>Kestrel</e1> moves <e2>boxes</e2> in Graz"}, {}),
        ({"text": TEXT, "first": {"start": 0, "end": 7}, "second": {"start": 14, "end": 19}}, {}),
        ({"text": TEXT, "first": [0, 7], "second": [14, 19]}, {}),
        ({"text": TEXT.split(), "first": [0, 1], "second": [2, 3]}, TOKENS),
        ({"token": TEXT.split(), "subj_start": 0, "subj_end": 0, "obj_start": 2, "obj_end": 2}, TACRED),
    ],
)
def test_all_forms_mean_the_same(fields: dict[str, Any], changes: dict[str, Any]) -> None:
    assert parsed(fields, **changes).inputs == {"text": TEXT, "first": [0, 7], "second": [14, 19]}


def test_white_space_at_the_edge_is_left_out_and_counted() -> None:
    repairs: Counter[str] = Counter()
    assert parsed({"text": TEXT, "first": [0, 8], "second": [13, 19]}, repairs).inputs["second"] == [14, 19]
    assert repairs == {"white space at the edge of a span was left out": 2}


@pytest.mark.parametrize(
    ("fields", "changes", "kind"),
    [
        ({"text": TEXT, "first": [0, 7], "second": [14, 99]}, {}, "span outside the text"),
        ({"text": TEXT, "first": [7, 0], "second": [14, 19]}, {}, "span outside the text"),
        ({"text": TEXT, "first": [7, 8], "second": [14, 19]}, {}, "empty span"),
        ({"text": TEXT, "first": "0 7", "second": [14, 19]}, {}, "missing span"),
        ({"text": TEXT, "first": [0, 7]}, {}, "missing span"),
        ({"text": " ", "first": [0, 0], "second": [0, 0]}, {}, "no text"),
        ({"text": TEXT, "first": [0, 1], "second": [1, 2]}, TOKENS, "no text"),
        ({"text": TEXT.split(), "first": [0, 0], "second": [1, 2]}, TOKENS, "span outside the text"),
        ({"text": "<e1>a</e1> <e2>b</e2> <e1>c</e1>"}, {}, "broken marks"),
        ({"text": "<e1>a</e1> b"}, {}, "broken marks"),
        ({"text": TEXT, "first": [0, 7], "second": [14, 19], "label": ""}, {}, "no relation"),
    ],
)
def test_a_row_that_cannot_be_used_is_refused_by_name(
    fields: dict[str, Any], changes: dict[str, Any], kind: str
) -> None:
    with pytest.raises(Defect, match=r"^a\.jsonl:7: ") as error:
        parsed(fields, **changes)
    assert (error.value.kind, error.value.entities) == (kind, int(kind != "no relation"))


@pytest.mark.parametrize(
    ("first", "second", "pieces", "openings"),
    [
        ([0, 7], [14, 19], ["@", "Kestrel", "@", " moves ", "#", "boxes", "#", " in Graz"], [0, 4]),
        ([14, 19], [0, 7], ["#", "Kestrel", "#", " moves ", "@", "boxes", "@", " in Graz"], [4, 0]),
        ([0, 7], [7, 13], ["@", "Kestrel", "@", "#", " moves", "#", " boxes in Graz"], [0, 3]),
        ([0, 19], [14, 19], ["@", "Kestrel moves ", "#", "boxes", "#", "@", " in Graz"], [0, 2]),
        ([0, 7], [0, 19], ["#", "@", "Kestrel", "@", " moves boxes", "#", " in Graz"], [1, 0]),
    ],
)
def test_marks_stand_around_each_span(
    first: list[int], second: list[int], pieces: list[str], openings: list[int]
) -> None:
    assert _segments({"text": TEXT, "first": first, "second": second}) == (pieces, openings)


def test_the_first_spans_mark_is_read_first_wherever_it_stands(bert_folder: Path) -> None:
    tokenizer = load_tokenizer(str(bert_folder), {})
    spans = ([0, 7], [14, 19])
    examples = [
        Example(f"a:{number}", None, {"text": TEXT, "first": one, "second": other}, "r")
        for number, (one, other) in enumerate((spans, spans[::-1]))
    ]
    for window in encode(examples, tokenizer, ["r"], 64, 4):
        marks = [tokenizer.convert_ids_to_tokens(window.input_ids[place]) for place, _ in window.parts]
        assert marks == ["@", "#"]
        assert [window.labels[place] for place, _ in window.parts] == [0, -100]


def test_what_is_kept_of_a_long_text_holds_both_marks_and_fills_the_window() -> None:
    for count, room in itertools.product((30, 61, 200), (8, 17, 40)):
        for first, second in itertools.combinations(range(0, count, 3), 2):
            kept = _kept(count, [first, second], room)
            assert len(kept) == min(room, count)
            assert kept == sorted(set(kept))
            assert kept[0] >= 0 and kept[-1] < count
            assert {first, second} <= set(kept)


def test_raw_text_needs_its_marks() -> None:
    assert adapter.read("<e1>a</e1> of <e2>b</e2>", "0").inputs == {"text": "a of b", "first": [0, 1], "second": [5, 6]}
    with pytest.raises(UserError, match="mark e2 is missing; write <e1>"):
        adapter.read("<e1>a</e1> of b", "0")


def test_blocks_of_semeval_have_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(
        b'\r\n1\t"The <e1>a</e1> of <e2>b</e2>"\r\nR(e1,e2)\r\nComment: x\r\n\r\nno number\r\nR\r\n\r\n3\tx\r\n'
    )
    one, broken, last = reader("semeval")(path, "a.txt")
    assert isinstance(one, Row)
    assert (one.line, one.fields) == (2, {"text": "The <e1>a</e1> of <e2>b</e2>", "label": "R(e1,e2)"})
    assert isinstance(broken, Unreadable)
    assert (broken.place, broken.kind) == ("a.txt:6", "no sentence")
    assert isinstance(last, Row)
    assert last.fields == {"text": "x", "label": ""}
