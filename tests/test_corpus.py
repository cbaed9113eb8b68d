"""Counts what the data card of the shipped corpus promises, with a small strict parser of its own."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "data" / "raw" / "hone-ner"
SPLITS = ("train", "validation", "test")
DOMAINS = ("news", "sport", "business", "science", "customer")
TYPES = ("PER", "ORG", "LOC", "MISC")
KINDS = ("ambiguous-name", "lower-case", "all-caps", "abbreviation", "adjacent", "long-entity", "no-entity")
ABBREVIATION = re.compile(r"([A-Za-z]\.)+|[A-Z][A-Z0-9&/-]{1,6}|[A-Za-z]{2,5}\.")


@dataclass(frozen=True)
class Sentence:
    split: str
    domain: str
    document: int
    words: tuple[str, ...]
    tags: tuple[str, ...]
    hard: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.words)

    @property
    def spans(self) -> list[tuple[int, int, str]]:
        """(first word, word after the last, type) of every entity; trusts the tags to be IOB2."""
        spans: list[tuple[int, int, str]] = []
        for index, tag in enumerate(self.tags):
            if tag.startswith("B-"):
                spans.append((index, index + 1, tag[2:]))
            elif tag.startswith("I-"):
                spans[-1] = (spans[-1][0], index + 1, spans[-1][2])
        return spans

    @property
    def forms(self) -> list[str]:
        return [" ".join(self.words[start:end]).lower() for start, end, _ in self.spans]


def parse(text: str, split: str) -> Iterator[Sentence]:
    """Every line must be a comment of a known form or a word and a tag with one tab; ValueError otherwise."""
    if not text.endswith("\n") or text.endswith("\n\n") or "\n\n\n" in text or "\r" in text:
        raise ValueError("blocks are parted by one empty line and the file ends with one line feed")
    domain, document = "", 0
    for block in text[:-1].split("\n\n"):
        lines = block.split("\n")
        comment = lines.pop(0) if lines[0].startswith("# ") else ""
        rows = [tuple(line.split("\t")) for line in lines]
        if not rows or any(len(row) != 2 or not all(row) or " " in "".join(row) for row in rows):
            raise ValueError(f"not two columns: {block!r}")
        if rows[0][0] == "-DOCSTART-":
            if len(rows) > 1 or rows[0][1] != "O" or comment[10:] not in DOMAINS:
                raise ValueError(f"not a start of a document: {block!r}")
            domain, document = comment[10:], document + 1
            continue
        if not domain or (comment and not comment.startswith("# hard: ")):
            raise ValueError(f"no document or a strange comment: {block!r}")
        hard = tuple(comment[8:].split(" ")) if comment else ()
        if not set(hard) <= set(KINDS) or len(set(hard)) != len(hard):
            raise ValueError(f"kinds that are unknown or doubled: {comment!r}")
        words, tags = zip(*rows, strict=True)
        if any(word.startswith("#") for word in words):
            raise ValueError(f"a word that starts with # reads as a comment: {block!r}")
        yield Sentence(split, domain, document, words, tags, hard)


@pytest.fixture(scope="module")
def corpus() -> list[Sentence]:
    files = ((split, FOLDER / f"{split}.conll") for split in SPLITS)
    return [sentence for split, file in files for sentence in parse(file.read_bytes().decode(), split)]


def of(corpus: Iterable[Sentence], split: str) -> list[Sentence]:
    return [sentence for sentence in corpus if sentence.split == split]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("# domain: news\n-DOCSTART-\tO\n\nRain\tO", "line feed"),
        ("# domain: news\n-DOCSTART-\tO\n\n\nRain\tO\n", "one empty line"),
        ("# domain: weather\n-DOCSTART-\tO\n\nRain\tO\n", "start of a document"),
        ("Rain\tO\n", "no document"),
        ("# domain: news\n-DOCSTART-\tO\n\nRain O\n", "two columns"),
        ("# domain: news\n-DOCSTART-\tO\n\nRain\tX\tO\n", "two columns"),
        ("# domain: news\n-DOCSTART-\tO\n\n# hard: odd\nRain\tO\n", "unknown"),
        ("# domain: news\n-DOCSTART-\tO\n\n#1\tO\n", "starts with #"),
    ],
)
def test_the_parser_refuses_what_the_card_does_not_describe(broken: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        list(parse(broken, "train"))


def test_sizes(corpus: list[Sentence]) -> None:
    assert len(corpus) == 1200
    assert len(of(corpus, "test")) == 400
    assert 580 <= sum(len(sentence.spans) for sentence in of(corpus, "test")) <= 640
    assert Counter(sentence.domain for sentence in corpus) == dict.fromkeys(DOMAINS, 240)
    documents = Counter((sentence.split, sentence.document) for sentence in corpus)
    assert set(documents.values()) <= set(range(3, 9))


def test_tags_are_iob2_of_four_types(corpus: list[Sentence]) -> None:
    allowed = {"O"} | {f"{prefix}-{kind}" for prefix in "BI" for kind in TYPES}
    wrong = [
        (sentence.text, before, tag)
        for sentence in corpus
        for before, tag in pairwise(("O", *sentence.tags))
        if tag not in allowed or (tag.startswith("I-") and before not in (tag, f"B-{tag[2:]}"))
    ]
    assert wrong == []
    for split in SPLITS:
        types = Counter(kind for sentence in of(corpus, split) for _, _, kind in sentence.spans)
        assert all(types[kind] >= 0.12 * types.total() for kind in TYPES), (split, types)


def test_hard_sentences_are_many_of_each_kind(corpus: list[Sentence]) -> None:
    assert sum(bool(sentence.hard) for sentence in corpus) >= 400
    kinds = Counter(kind for sentence in corpus for kind in sentence.hard)
    assert {kind: kinds[kind] for kind in KINDS if kinds[kind] < 40} == {}


def kinds_seen(sentence: Sentence) -> set[str]:
    """The kinds that a sentence's words and tags alone decide, apart from abbreviation and no-entity."""
    spans, text = sentence.spans, sentence.text
    seen = {
        "adjacent": any(first[1] == second[0] for first, second in pairwise(spans)),
        "long-entity": any(end - start >= 5 for start, end, _ in spans),
        "lower-case": bool(spans) and text == text.lower(),
        "all-caps": bool(spans) and text == text.upper(),
    }
    return {kind for kind, true in seen.items() if true}


def test_marks_that_can_be_seen_are_there_exactly_where_they_are_true(corpus: list[Sentence]) -> None:
    checked = {"adjacent", "long-entity", "lower-case", "all-caps"}
    wrong = [s.text for s in corpus if set(s.hard) & checked != kinds_seen(s)]
    assert wrong == []


def test_marks_that_need_a_reader_are_at_least_possible(corpus: list[Sentence]) -> None:
    assert [s.text for s in corpus if "no-entity" in s.hard and (s.spans or len(s.hard) > 1)] == []
    assert [s.text for s in corpus if "ambiguous-name" in s.hard and not s.spans] == []
    without = [
        s.text
        for s in corpus
        if "abbreviation" in s.hard and not any(ABBREVIATION.fullmatch(word) for form in names(s) for word in form)
    ]
    assert without == []


def names(sentence: Sentence) -> list[tuple[str, ...]]:
    return [sentence.words[start:end] for start, end, _ in sentence.spans]


def unseen_forms(corpus: list[Sentence]) -> tuple[int, int]:
    """(distinct forms of test that train lacks, distinct forms of test), upper and lower case alike."""
    known, tested = ({form for sentence in of(corpus, split) for form in sentence.forms} for split in ("train", "test"))
    return len(tested - known), len(tested)


def test_most_names_of_test_are_unseen_in_train(corpus: list[Sentence]) -> None:
    unseen, tested = unseen_forms(corpus)
    assert unseen / tested >= 0.60


def test_no_sentence_is_doubled_and_no_six_words_are_in_three(corpus: list[Sentence]) -> None:
    texts = Counter(sentence.text.lower() for sentence in corpus)
    assert [text for text, count in texts.items() if count > 1] == []
    holders: defaultdict[tuple[str, ...], set[int]] = defaultdict(set)
    for index, sentence in enumerate(corpus):
        words = sentence.text.lower().split(" ")
        for start in range(len(words) - 5):
            holders[tuple(words[start : start + 6])].add(index)
    assert [" ".join(words) for words, where in holders.items() if len(where) >= 3] == []


def test_nothing_looks_like_an_address_or_a_number_of_a_person(corpus: list[Sentence]) -> None:
    personal = re.compile(r".*(@|://|www\.|\d{6,}|\+\d{2}).*")
    assert [word for sentence in corpus for word in sentence.words if personal.fullmatch(word)] == []


def row(*cells: str | int) -> str:
    return "| " + " | ".join(cell if isinstance(cell, str) else f"{cell:,}" for cell in cells) + " |"


def counted_rows(corpus: list[Sentence]) -> Iterator[str]:
    """The lines that the tables of the data card must have."""
    for name, part in [*((split, of(corpus, split)) for split in SPLITS), ("all", corpus)]:
        documents = len({(sentence.split, sentence.document) for sentence in part})
        words = sum(len(sentence.words) for sentence in part)
        yield row(name, documents, len(part), words, *type_counts(part))
    for domain in DOMAINS:
        part = [sentence for sentence in corpus if sentence.domain == domain]
        yield row(domain, len(part), *type_counts(part))
    for kind in KINDS:
        counts = [sum(kind in sentence.hard for sentence in of(corpus, split)) for split in SPLITS]
        yield row(f"`{kind}`", *counts, sum(counts))
    unseen, tested = unseen_forms(corpus)
    yield row(tested, unseen, f"{100 * unseen / tested:.1f} %")


def type_counts(part: list[Sentence]) -> tuple[int, ...]:
    types = Counter(kind for sentence in part for _, _, kind in sentence.spans)
    return types.total(), *(types[kind] for kind in TYPES), sum(bool(sentence.hard) for sentence in part)


def test_the_figures_of_the_data_card_are_the_counted_ones(corpus: list[Sentence]) -> None:
    card = (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
    rows = list(counted_rows(corpus))
    assert [line for line in rows if line not in card] == []
    figures = [line for line in card if line.startswith("| ") and re.search(r"\| [\d,]+ \|", line)]
    assert sorted(figures) == sorted(rows)
