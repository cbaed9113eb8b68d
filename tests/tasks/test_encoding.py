from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.adapters import Encoded
from tasks.encoding import IGNORED, encode_words, merge_windows, special_ids, word_pieces
from tasks.errors import UserError
from tasks.models import load_tokenizer

WORDS = st.lists(
    st.sampled_from(
        [
            "graz",
            "unbelievable",
            "Merkel",
            "\u200b",
            "\x7f",
            "a",
            "3.5",
            "harbourmaster" * 4,
            "ß",
            "東京",
            "#",
        ]
    ),
    min_size=1,
    max_size=40,
)


@pytest.fixture(scope="module", params=["bert_folder", "roberta_folder"])
def tokenizer(request: pytest.FixtureRequest):
    return load_tokenizer(str(request.getfixturevalue(request.param)), {})


def encode(tokenizer, sentences, max_length=128, overlap=8):
    labels = [list(range(len(words))) for words in sentences]
    return encode_words(sentences, labels, tokenizer, max_length=max_length, overlap=overlap)


def test_first_subword_carries_the_label_and_all_else_is_ignored(bert_folder: Path) -> None:
    tokenizer = load_tokenizer(str(bert_folder), {})
    (window,) = encode(tokenizer, [["Graz", "unbelievable"]])
    pieces = tokenizer.convert_ids_to_tokens(window.input_ids)
    assert pieces[:4] == ["[CLS]", "graz", "u", "##n"]
    assert window.labels[:4] == [IGNORED, 0, 1, IGNORED]
    assert set(window.labels[3:]) == {IGNORED}
    assert window.parts == [(1, 0), (2, 1)]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(sentences=st.lists(WORDS, min_size=1, max_size=4), max_length=st.integers(8, 40), data=st.data())
def test_every_word_is_answered_exactly_once(tokenizer, sentences, max_length: int, data) -> None:
    overlap = data.draw(st.integers(0, max_length - 3))
    windows = encode(tokenizer, sentences, max_length, overlap)
    for index, words in enumerate(sentences):
        own = [window for window in windows if window.example == index]
        assert sorted(word for window in own for _, word in window.parts) == list(range(len(words)))
        for window in own:
            assert len(window.input_ids) == len(window.labels) <= max_length
            assert [(p, label) for p, label in enumerate(window.labels) if label != IGNORED] == sorted(window.parts)


def test_windows_hold_the_subwords_of_their_words(tokenizer) -> None:
    words = ["Angela", "unbelievable", "Graz", "harbourmaster", "boxes"] * 6
    (whole,) = encode(tokenizer, [words], max_length=500)
    prefix, suffix = special_ids(tokenizer)
    pieces = dict(zip((word for _, word in whole.parts), _pieces(whole), strict=True))
    windows = encode(tokenizer, [words], max_length=30, overlap=10)
    assert len(windows) > 3
    for window in windows:
        assert window.input_ids[: len(prefix)] == prefix
        assert window.input_ids[-len(suffix) :] == suffix
        for position, word in window.parts:
            own = pieces[word][: len(window.input_ids) - len(suffix) - position]
            assert window.input_ids[position : position + len(own)] == own


def _pieces(window: Encoded) -> list[list[int]]:
    starts = [position for position, _ in window.parts]
    return [window.input_ids[a:b] for a, b in zip(starts, [*starts[1:], len(window.input_ids) - 1], strict=True)]


def test_a_word_is_answered_where_it_has_most_context(bert_folder: Path) -> None:
    tokenizer = load_tokenizer(str(bert_folder), {})
    words = ["graz"] * 20
    first, second, *_ = encode(tokenizer, [words], max_length=12, overlap=4)
    assert [word for _, word in first.parts] == list(range(8))  # 10 words long, shares 4, each side answers 2 of them
    assert second.parts[0] == (3, 8)


def test_word_without_subwords_is_read_as_the_unknown_word(bert_folder: Path) -> None:
    tokenizer = load_tokenizer(str(bert_folder), {})
    (window,) = encode(tokenizer, [["Graz", "\u200b", "boxes"]])
    assert [word for _, word in window.parts] == [0, 1, 2]
    assert window.input_ids[2] == tokenizer.unk_token_id


def test_byte_level_words_are_cut_as_in_running_text(roberta_folder: Path) -> None:
    tokenizer = load_tokenizer(str(roberta_folder), {})
    (window,) = encode(tokenizer, [["Angela", "Merkel"]])
    running = tokenizer.backend_tokenizer.encode(" Angela Merkel").ids
    assert window.input_ids == running


def test_overlap_that_leaves_no_room_is_refused(bert_folder: Path) -> None:
    tokenizer = load_tokenizer(str(bert_folder), {})
    with pytest.raises(UserError, match=r"window_overlap: 10 leaves no room .* write 0 to 9"):
        encode(tokenizer, [["Graz"]], max_length=12, overlap=10)


def test_merge_lays_the_words_of_all_sentences_one_after_the_other() -> None:
    windows = [Encoded(0, [], [], [(1, 0), (2, 1)]), Encoded(2, [], [], [(1, 0)]), Encoded(0, [], [], [(3, 2)])]
    answers = [[[0.9, 0.1], [0.2, 0.8]], [[0.3, 0.7]], [[0.4, 0.6]]]
    rows = [np.array(answer, np.float32) for answer in answers]
    merged, answered = merge_windows([4, 0, 1], list(zip(windows, rows, strict=True)), np.array([1, 0], np.float32))
    assert merged == pytest.approx(np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [1, 0], [0.3, 0.7]]))
    assert answered.tolist() == [True, True, True, False, True]


def test_merge_of_nothing() -> None:
    merged, answered = merge_windows([2], [], np.array([1, 0], np.float32))
    assert merged.tolist() == [[1, 0], [1, 0]]
    assert answered.tolist() == [False, False]


def test_a_word_is_cut_the_same_alone_and_among_others(tokenizer) -> None:
    words = ["Graz", "unbelievable", "\u200b", "3.5", "東京", "ß", "[CLS]", "<s>", "#", "Merkel's"] * 9
    unknown = [tokenizer.unk_token_id]
    pieces = word_pieces([words], tokenizer)
    backend = tokenizer.backend_tokenizer
    for word in words:
        assert pieces[word] == (backend.encode([word], is_pretokenized=True, add_special_tokens=False).ids or unknown)
    read = [word for word in words if word != "\u200b"]
    running = backend.encode(read, is_pretokenized=True, add_special_tokens=False).ids
    assert [number for word in read for number in pieces[word]] == running
