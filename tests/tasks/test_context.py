from pathlib import Path
from typing import Any

import pytest

from tasks.adapters.token_classification import adapter, decode, encode
from tasks.context import around, shares, surround
from tasks.encoding import IGNORED
from tasks.models import load_tokenizer
from tasks.params_file import check
from tasks.records import Example
from tasks.yaml_files import read_yaml

ROOT = Path(__file__).parents[2]
CLASSES = ["O", "B-X", "I-X"]


def example(line: int, document: str | None, text: str, file: str = "a.conll") -> Example:
    words = text.split()
    return Example(f"{file}:{line}", document, {"words": words}, ["B-X", *["O"] * (len(words) - 1)])


DOCUMENT = [
    example(1, "one", "Graz moves"),
    example(4, "one", "Angela Merkel visited Toyota"),
    example(9, "one", "the harbourmaster of Graz"),
    example(14, "two", "Kestrel Freight moves boxes"),
]


def options(context: str) -> Any:
    block = read_yaml(ROOT / "params.yaml")["token_classification"] | {"context": context}
    return check(adapter.options, block, Path("params.yaml"))


def texts(given: Example, side: str) -> list[str]:
    return [" ".join(words) for words in given.inputs[side]]


def test_neighbours_are_those_of_the_same_document_the_nearest_first() -> None:
    given = list(surround(DOCUMENT, 100))
    assert [one.id for one in given] == [one.id for one in DOCUMENT]
    assert texts(given[0], "before") == []
    assert texts(given[0], "after") == ["Angela Merkel visited Toyota", "the harbourmaster of Graz"]
    assert texts(given[2], "before") == ["Angela Merkel visited Toyota", "Graz moves"]
    assert texts(given[3], "before") == texts(given[3], "after") == []


def test_documents_of_one_name_in_two_files_are_two() -> None:
    given = list(surround([DOCUMENT[0], example(1, "one", "Graz", "b.conll")], 100))
    assert texts(given[0], "after") == texts(given[1], "before") == []


def test_without_a_document_nothing_changes() -> None:
    alone = [example(1, None, "Graz moves"), example(4, None, "Graz")]
    assert list(surround(alone, 100)) == alone


@pytest.mark.parametrize("reach", [1, 3, 7, 1000])
def test_neighbours_are_found_in_a_stream_that_is_read_no_further_than_needed(reach: int) -> None:
    read = 0

    def stream() -> Any:
        nonlocal read
        for number in range(200):
            read += 1
            yield example(number, "long", f"a b{number}")

    given = surround(stream(), reach)
    sides: list[tuple[int, int]] = []
    for number, one in enumerate(given):
        sides.append((len(one.inputs["before"]), len(one.inputs["after"])))
        assert read <= min(200, number + 1 + (reach + 1) // 2 + 1)
    most = (reach + 1) // 2  # sentences of two words
    assert sides == [(min(most, number), min(most, 199 - number)) for number in range(200)]


def test_the_room_is_shared() -> None:
    assert shares(100, 100, 11) == (5, 6)
    assert shares(2, 100, 11) == (2, 9)
    assert shares(100, 2, 11) == (9, 2)
    assert shares(3, 4, 11) == (3, 4)


@pytest.mark.parametrize("folder", ["bert_folder", "roberta_folder"])
def test_context_fills_the_window_and_is_not_answered(folder: str, request: pytest.FixtureRequest) -> None:
    tokenizer = load_tokenizer(str(request.getfixturevalue(folder)), {})
    given = list(adapter.surround(DOCUMENT, options("document"), 24))
    bare = encode(DOCUMENT, tokenizer, CLASSES, 24, 4)
    wide = encode(given, tokenizer, CLASSES, 24, 4)
    assert len(wide) == len(bare) == 4
    grown = 0
    for one, plain, full in zip(DOCUMENT, bare, wide, strict=True):
        assert len(plain.input_ids) <= len(full.input_ids) <= 24
        grown += len(full.input_ids) - len(plain.input_ids)
        assert [word for _, word in full.parts] == list(range(len(one.inputs["words"])))
        shift = full.parts[0][0] - plain.parts[0][0]
        inner = slice(1, len(plain.input_ids) - 1)
        assert full.input_ids[1 + shift : len(plain.input_ids) - 1 + shift] == plain.input_ids[inner]
        assert [full.labels[place] for place, _ in full.parts] == [plain.labels[place] for place, _ in plain.parts]
        assert sum(label != IGNORED for label in full.labels) == len(one.inputs["words"])
        assert (full.input_ids[0], full.input_ids[-1]) == (plain.input_ids[0], plain.input_ids[-1])
    assert grown > 10
    assert wide[3] == bare[3]  # alone in its document


def test_words_of_the_context_are_whole(bert_folder: Path) -> None:
    tokenizer = load_tokenizer(str(bert_folder), {})
    given = list(
        surround([example(1, "d", "unbelievable Graz"), example(4, "d", "Graz"), example(7, "d", "of qqqq")], 50)
    )
    fill = around(given, tokenizer)
    assert fill is not None
    for room in range(30):
        before, after = (tokenizer.convert_ids_to_tokens(ids) for ids in fill(1, room))
        assert len(before) + len(after) <= room
        assert not before or not before[0].startswith("##")
        assert before[-1:] in ([], ["graz"])
        assert after[:1] in ([], ["of"])
        assert len(after) in (0, 1, 5)


def test_a_setting_without_context_gives_the_examples_as_they_are() -> None:
    assert list(adapter.surround(DOCUMENT, options("none"), 24)) == DOCUMENT


def test_a_long_sentence_has_its_windows_as_before(bert_folder: Path) -> None:
    tokenizer = load_tokenizer(str(bert_folder), {})
    long = [example(1, "d", "Graz"), example(3, "d", " ".join(["Graz"] * 40))]
    plain = encode(long, tokenizer, CLASSES, 16, 4)
    wide = encode(list(surround(long, 16)), tokenizer, CLASSES, 16, 4)
    assert len(plain) > 4
    assert wide[1:] == plain[1:]
    assert decode(long, [], CLASSES, options("none"))[1].predicted == ["O"] * 40
