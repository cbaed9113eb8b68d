"""What is special about answers: where they stand, windows that hold them, n-best, and questions without an answer."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.adapters import Encoded
from tasks.adapters.extractive_qa import adapter, decode, encode, parse
from tasks.encoding import END, FIRST, IGNORED, START
from tasks.errors import Defect, UserError
from tasks.models import load_tokenizer
from tasks.params_file import check
from tasks.records import Example, Row
from tasks.sources import Unreadable, reader
from tasks.yaml_files import read_yaml

ROOT = Path(__file__).parents[3]
CONTEXT = "Merkel visited Graz and Graz visited Merkel in Nagoya"


def options(**changes: Any) -> Any:
    return check(adapter.options, read_yaml(ROOT / "params.yaml")["extractive_qa"] | changes, Path("params.yaml"))


def parsed(answers: Any, repairs: Counter[str] | None = None, **changes: Any) -> Example:
    row = Row("a.json", 7, "d", {"question": "who", "context": CONTEXT, "answers": answers})
    return parse(row, options(**changes), {}, Counter() if repairs is None else repairs)


def windows_of(
    examples: list[Example], tokenizer: Any, length: int, overlap: int, max_answer: int = 1
) -> list[Encoded]:
    """As the stages make them, of examples that know what params say."""
    ready = list(adapter.surround(examples, options(max_answer=max_answer), length))
    return encode(ready, tokenizer, ["start", "end"], length, overlap)


def one(text: Any, start: Any) -> list[dict[str, Any]]:
    return [{"text": text, "answer_start": start}]


@pytest.mark.parametrize(
    ("answers", "target", "repairs"),
    [
        (one("Graz", 24), [{"start": 24, "text": "Graz"}], {}),
        (one(" Graz", 23), [{"start": 24, "text": "Graz"}], {}),
        ({"text": ["Graz"], "answer_start": [15]}, [{"start": 15, "text": "Graz"}], {}),
        ({"text": "Graz", "answer_start": 15}, [{"start": 15, "text": "Graz"}], {}),
        ({"text": ["Graz"], "answer_start": 24}, [{"start": 24, "text": "Graz"}], {}),
        ("Nagoya", [{"start": 47, "text": "Nagoya"}], {"the offset of an answer was found by its text": 1}),
        (
            {"text": ["Nagoya"]},
            [{"start": 47, "text": "Nagoya"}],
            {"the offset of an answer was found by its text": 1},
        ),
        (one("Nagoya", -1), [{"start": 47, "text": "Nagoya"}], {"the offset of an answer was found by its text": 1}),
        (
            [*one("Toyota", -1), *one("Graz", 15), *one("Graz", 15)],
            [{"start": 15, "text": "Graz"}],
            {"an answer that does not stand in the text was left out": 1},
        ),
    ],
)
def test_answers_are_placed_mended_or_left_out(answers: Any, target: Any, repairs: dict[str, int]) -> None:
    found: Counter[str] = Counter()
    assert parsed(answers, found).target == target
    assert found == repairs


def test_fields_may_have_other_names() -> None:
    names = {"question_field": "ask", "context_field": "passage", "answers_field": "spans"}
    row = Row("a.jsonl", 7, "d", {"ask": "who", "passage": CONTEXT, "spans": {"text": ["Graz"], "answer_start": [15]}})
    made = parse(row, options(**names), {}, Counter())
    assert (made.inputs, made.target) == ({"question": "who", "context": CONTEXT}, [{"start": 15, "text": "Graz"}])
    assert adapter.raw_items(row, options(**names), {}) == 1
    with pytest.raises(Defect, match="'question' holds 'None'"):
        parse(row, options(), {}, Counter())


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        (one("Toyota", -1), "answer does not fit"),
        (one("Graz", -1), "answer does not fit"),  # twice in the text: which one is meant cannot be told
        (one("", 0), "answer does not fit"),
        (one(None, 0), "answer does not fit"),
        (7, "answer does not fit"),
        ("Graz", "answer does not fit"),
        ([], "no answer"),
        (None, "no answer"),
    ],
)
def test_a_question_whose_answer_cannot_be_placed_is_refused(answers: Any, kind: str) -> None:
    with pytest.raises(Defect, match=r"^a\.json:7: ") as error:
        parsed(answers)
    assert (error.value.kind, error.value.entities) == (kind, 1)


def test_a_question_without_answer_is_one_where_params_say_so() -> None:
    assert parsed([], unanswerable=True).target == []
    assert adapter.items([]) == {"no answer": 1}


@pytest.mark.parametrize("folder", ["bert_folder", "roberta_folder"])
def test_the_labels_mark_the_answer_in_each_window_that_holds_it(folder: str, request: pytest.FixtureRequest) -> None:
    tokenizer = load_tokenizer(str(request.getfixturevalue(folder)), {})
    example = Example("a:1", None, {"question": "Toyota", "context": CONTEXT}, [{"start": 24, "text": "Graz"}])
    windows = windows_of([example], tokenizer, 14, 3)
    assert len(windows) > 1
    holding = 0
    for window in windows:
        labels = [window.labels[place] for place, _ in window.parts]
        assert labels[0] & FIRST
        assert sum(bool(label & START) for label in labels) == sum(bool(label & END) for label in labels) == 1
        assert len(window.offsets) == len(window.parts)
        read = {place for place, _ in window.parts}
        assert all(label == IGNORED for place, label in enumerate(window.labels) if place not in read)
        if labels[0] == FIRST:
            first = next(at for at, label in enumerate(labels) if label & START)
            last = next(at for at, label in enumerate(labels) if label & END)
            assert CONTEXT[window.offsets[first][0] : window.offsets[last][1]].strip() == "Graz"
            holding += 1
    assert holding >= 1


def test_an_overlap_that_fills_a_window_behind_its_question_is_refused(bert_folder: Path) -> None:
    tokenizer = load_tokenizer(str(bert_folder), {})
    example = Example("a:1", None, {"question": "Toyota visited Graz", "context": CONTEXT}, [])
    with pytest.raises(UserError, match=r"window_overlap: 8 leaves no room behind a question in windows of 14"):
        windows_of([example], tokenizer, 14, 8)


def test_an_answer_longer_than_the_overlap_is_learned(bert_folder: Path) -> None:
    """It was not: where a window ended within it, none held it whole."""
    tokenizer = load_tokenizer(str(bert_folder), {})
    words = ("Kestrel", "moves", "boxes", "in", "Graz")
    context = " ".join(words * 12)
    for start in range(0, len(context), 7):
        begin = context.find(" ", start) + 1
        text = " ".join(context[begin:].split()[:6])
        example = Example("a:1", None, {"question": "who", "context": context}, [{"start": begin, "text": text}])
        windows = windows_of([example], tokenizer, 24, 2, max_answer=8)
        assert adapter.unlearned([example], windows) == 0


def test_answers_that_no_window_holds_are_counted(bert_folder: Path) -> None:
    tokenizer = load_tokenizer(str(bert_folder), {})
    target = [{"start": 0, "text": CONTEXT}]
    examples = [Example("a:1", None, {"question": "who", "context": CONTEXT}, found) for found in (target, [])]
    windows = windows_of(examples, tokenizer, 12, 2)
    assert adapter.unlearned(examples, windows) == 1


EXAMPLE = Example("a:1", "d", {"question": "who", "context": "ab cd ef"}, [])
OFFSETS = [(0, 0), (0, 2), (3, 5), (6, 8)]
PARTS = [(0, -1), (3, 0), (4, 1), (5, 2)]


def answered(rows: list[list[float]], **changes: Any) -> Any:
    window = Encoded(0, [], [], PARTS, OFFSETS)
    (found,) = decode([EXAMPLE], [(window, np.array(rows, np.float32))], ["start", "end"], options(**changes))
    return found


def test_the_best_span_wins_the_second_is_runner_up_and_they_share_the_probability() -> None:
    found = answered([[9, 9], [3, 0], [0, 2], [0, 1]], n_best=2)
    assert found.predicted == [{"start": 0, "text": "ab cd"}]
    assert found.confidence == [pytest.approx(1 / (1 + np.exp(-1)))]
    assert found.runner_up == ["ab cd ef"]
    assert found.document == "d"


def test_an_answer_ends_after_it_starts_and_is_not_too_long() -> None:
    assert answered([[0, 0], [0, 9], [0, 0], [9, 0]]).predicted[0]["text"] in ("ab", "ef")
    assert answered([[0, 0], [9, 0], [0, 0], [0, 9]], max_answer=2).predicted[0]["text"] != "ab cd ef"


def test_none_is_an_answer_where_params_say_so_and_the_margin_moves_it() -> None:
    rows = [[2.0, 2.0], [3.0, 0.0], [0.0, 0.5], [0.0, 0.0]]
    assert answered(rows).predicted != []
    none = answered(rows, unanswerable=True)
    assert (none.predicted, none.runner_up) == ([], ["ab cd"])
    assert answered(rows, unanswerable=True, no_answer_margin=-1.0).predicted == [{"start": 0, "text": "ab cd"}]


def test_each_window_must_hold_that_there_is_none() -> None:
    windows = [Encoded(0, [], [], PARTS, OFFSETS)] * 2
    sure = np.array([[9, 9], [0, 0], [0, 0], [0, 0]], np.float32)
    there = np.array([[0, 0], [4, 4], [0, 0], [0, 0]], np.float32)
    pairs = zip(windows, (sure, there), strict=True)
    (found,) = decode([EXAMPLE], pairs, ["start", "end"], options(unanswerable=True))
    assert found.predicted == [{"start": 0, "text": "ab"}]


def test_a_context_without_subwords_has_no_answer() -> None:
    window = Encoded(0, [], [], PARTS[:1], OFFSETS[:1])
    (found,) = decode([EXAMPLE], [(window, np.zeros((1, 2), np.float32))], ["start", "end"], options())
    assert (found.predicted, found.confidence) == ([], [1.0])


def test_raw_text_is_a_line_of_json() -> None:
    assert adapter.read('{"question": "q", "context": "c"}', "0").inputs == {"question": "q", "context": "c"}
    with pytest.raises(UserError, match="a question needs a text"):
        adapter.read("who?", "0")


def test_broken_paragraphs_are_refused_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(
        '{"data": [{"title": "t", "paragraphs": [{"context": "c", "qas": [{"question": "q"}, 3]}, {"qas": []}]}]}'
    )
    one, two, three = reader("squad")(path, "a.json")
    assert isinstance(one, Row)
    assert (one.line, one.document, one.fields) == (1, "t", {"question": "q", "context": "c"})
    assert isinstance(two, Unreadable)
    assert isinstance(three, Unreadable)
    assert (two.place, three.place) == ("a.json:2", "a.json:3")
    path.write_text("[]")
    with pytest.raises(UserError, match="no list 'data'"):
        list(reader("squad")(path, "a.json"))
