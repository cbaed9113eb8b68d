"""Raw text to sentences and words: nothing is lost, and words of a corpus come back from its joined sentences."""

import itertools
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.raw_text import sentences, words

ROOT = Path(__file__).parents[2]
MIXED = st.text(alphabet="aB1 .!?…。,'’\"-\n«»東क\u094d\u0e01&", max_size=60)


def cut(text: str, spans: list[tuple[int, int]]) -> list[str]:
    return [text[start:end] for start, end in spans]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He met Mr. Ito (J. Ito) in the U.S. on 3. Mai. Then he left.", 2),
        ('"Really?" he said. "Yes!" Ann left.', 3),
        ("Sales were 3.5 million. See example.com for more.", 2),
        ("我在北京。你好！再见。", 3),
        ("हिन्दी में। और यह।", 2),
        ("Il a dit « non. » Puis rien.", 2),
        ("A title\n\nand its text", 2),
        ("a line that is\nbroken by hand", 1),
        ("It was 1996. The end.", 2),
        ("Wait... what? no way", 1),
        (" \n\n ", 0),
    ],
)
def test_sentences(text: str, expected: int) -> None:
    assert len(sentences(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Angela Merkel visited Toyota.", "Angela Merkel visited Toyota ."),
        ("Ann's dog doesn't bark at O'Brien", "Ann 's dog doesn 't bark at O'Brien"),
        ("U.S.-based AT&T and Rolls-Royce", "U.S.-based AT&T and Rolls-Royce"),
        ("3.5 1,000 21:15 1996-08-22 a@b.com", "3.5 1,000 21:15 1996-08-22 a@b.com"),
        ("Mr. Ito of St. Gallen left.", "Mr. Ito of St. Gallen left ."),
        ("end.Next (well...) --", "end . Next ( well ... ) --"),
        ("東京へ行く ไทย", "東 京 へ 行 く ไ ท ย"),
        ("हिन्दी e\u0301te\u0301 I ❤️ it_2", "हिन्दी e\u0301te\u0301 I ❤️ it_2"),
    ],
)
def test_words(text: str, expected: str) -> None:
    assert cut(text, words(text)) == expected.split()


@given(text=st.text(max_size=60) | MIXED)
def test_each_character_is_white_space_or_in_one_sentence_and_one_word(text: str) -> None:
    for spans in (sentences(text), words(text)):
        covered = [index for start, end in spans for index in range(start, end)]
        assert covered == sorted(set(covered))
        assert set(covered) >= {index for index, character in enumerate(text) if not character.isspace()}
    assert not any(character.isspace() for start, end in words(text) for character in text[start:end])
    edges = [0, *(edge for span in sentences(text) for edge in span), len(text)]
    assert "".join(text[start:end] for start, end in itertools.pairwise(edges)) == text
    assert all(part == part.strip() for part in cut(text, sentences(text)))


@given(text=MIXED)
def test_no_word_crosses_a_sentence(text: str) -> None:
    borders = [start for start, _ in sentences(text)]
    assert not any(first < border < last for first, last in words(text) for border in borders)


def test_words_of_the_shipped_corpus_come_back_from_its_joined_sentences() -> None:
    """So raw text scores as evaluate does on the same words."""
    total = 0
    for name in ("train", "validation", "test"):
        for block in re.split(r"\n\s*\n", (ROOT / f"data/raw/hone-ner/{name}.conll").read_text(encoding="utf-8")):
            lines = [line for line in block.splitlines() if line.strip() and not line.startswith(("#", "-DOCSTART-"))]
            expected = [re.split(r"[\t ]", line)[0] for line in lines]
            text = " ".join(expected)
            assert cut(text, words(text)) == expected
            total += len(expected)
    assert total > 10_000


def test_most_words_of_public_corpora_come_back() -> None:
    folder = ROOT / "../shared/data/ner/crossner"
    if not folder.is_dir():
        pytest.skip("CrossNER is not here")
    for domain in ("politics", "science"):
        kept = total = 0
        for block in (folder / domain / "dev.txt").read_text(encoding="utf-8").split("\n\n"):
            expected = [line.split("\t")[0] for line in block.splitlines() if line.strip()]
            text = " ".join(expected)
            found, at = set(words(text)), 0
            for word in expected:
                kept += (at, at + len(word)) in found
                at += len(word) + 1
            total += len(expected)
        assert total > 5_000 and kept / total > 0.97, (domain, kept / total)


def test_a_long_text_without_any_mark_takes_linear_time() -> None:
    text = "word " * 100_000 + "-'" * 50_000 + "a." * 50_000
    assert len(words(text)) > 100_000
    assert json.dumps(sentences("." * 100_000)) == "[[0, 100000]]"
