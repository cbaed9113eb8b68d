"""Schemes are recognised, converted without losing an entity, and repairs are counted."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import tags

LETTERS = {  # first, inner, last, only
    "IOB2": "BIIB",
    "IOB1": "IIII",
    "BIOES": "BIES",
    "BILOU": "BILU",
    "BMES": "BMES",
}


@st.composite
def sentences(draw: st.DrawFn) -> tuple[list[tags.Span], int]:
    """Entities that do not overlap, some of them neighbours, and the number of words."""
    entities, at = [], 0
    for gap, length, kind in draw(
        st.lists(
            st.tuples(st.integers(0, 2), st.integers(1, 4), st.sampled_from(["PER", "creative-work", "O", "B-X"])),
            max_size=6,
        )
    ):
        entities.append((at + gap, at + gap + length, kind))
        at += gap + length
    return entities, at + draw(st.integers(0, 2))


def write(entities: list[tags.Span], length: int, scheme: str) -> list[str]:
    """The tags that a careful annotator writes."""
    first, inner, last, single = LETTERS[scheme]
    answer = ["O"] * length
    for start, end, kind in entities:
        for word in range(start, end):
            letter = first if word == start else last if word == end - 1 else inner
            answer[word] = f"{single if end - start == 1 else letter}-{kind}"
        before = answer[start - 1] if start else "O"
        if scheme == "IOB1" and before.partition("-")[2] == kind:
            answer[start] = f"B-{kind}"
    return answer


@given(sentence=sentences(), scheme=st.sampled_from(sorted(tags.SCHEMES)))
def test_any_spans_survive_any_scheme(sentence: tuple[list[tags.Span], int], scheme: str) -> None:
    entities, length = sentence
    raw = write(entities, length, scheme)
    repairs: Counter[str] = Counter()
    converted = tags.Converter(scheme).to_iob2(raw, repairs)
    assert tags.spans(converted) == entities
    assert converted == tags.from_spans(entities, length)
    assert not repairs
    assert tags.count_starts(raw) == len(entities)


@given(
    raw=st.lists(st.sampled_from(["O", "B-X", "I-X", "E-X", "S-X", "B-Y", "I-Y", "E-Y", "S-Y"]), max_size=12),
)
def test_any_tags_of_a_scheme_are_converted_with_every_start_kept(raw: list[str]) -> None:
    repairs: Counter[str] = Counter()
    converted = tags.Converter("BIOES").to_iob2(raw, repairs)
    assert sum(tag[:2] == "B-" for tag in converted) == tags.count_starts(raw) == len(tags.spans(converted))
    assert [tag == "O" for tag in converted] == [tag == "O" for tag in raw]
    again: Counter[str] = Counter()
    assert tags.Converter("IOB2").to_iob2(converted, again) == converted
    assert not again


@pytest.mark.parametrize("scheme", sorted(tags.SCHEMES))
def test_each_scheme_is_recognised_also_among_some_broken_tags(scheme: str) -> None:
    found = tags.Transitions()
    entities = [(0, 3, "PER"), (3, 4, "PER"), (6, 7, "LOC"), (8, 10, "PER")]
    for _ in range(20):
        found.add(write(entities, 12, scheme))
    found.add(["O", "I-PER", "X-PER", "PER", "B-PER"])
    assert found.scheme() == scheme


@pytest.mark.parametrize(
    ("sentence", "scheme"),
    [
        ([], "IOB2"),
        (["O", "O"], "IOB2"),
        (["B-X", "O", "B-X"], "IOB2"),
        (["I-X", "O", "I-X"], "IOB1"),
        (["I-X", "B-X", "O", "I-X"], "IOB1"),
        (["S-X", "O", "S-X"], "BIOES"),
        (["B-X", "E-X", "O", "B-X", "E-X"], "BIOES"),
        (["B-X", "E-X", "O", "W-X"], "BMES"),
        (["U-X"], "BILOU"),
    ],
)
def test_little_evidence_is_enough(sentence: list[str], scheme: str) -> None:
    found = tags.Transitions()
    found.add(sentence)
    assert found.scheme() == scheme


def test_transitions_stay_small_when_every_tag_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tags, "CACHED", 50)
    found = tags.Transitions()
    for number in range(1000):
        found.add([f"B-{number}", f"I-{number}", f"word{number}"])
        assert len(found._tags) <= 54
    assert len(found._steps) < 100
    assert found.scheme() == "IOB2"


@pytest.mark.parametrize(
    ("scheme", "raw", "converted", "repairs"),
    [
        (
            "IOB2",
            "O I-X I-X O B-X I-Y",
            "O B-X I-X O B-X B-Y",
            {"I- after O or another type became B-": 2},
        ),
        ("IOB1", "I-X B-X O B-X I-Y", "B-X B-X O B-X B-Y", {"B- where IOB1 writes I- was kept": 1}),
        (
            "BIOES",
            "B-X I-X O B-X S-X E-X",
            "B-X I-X O B-X B-X B-X",
            {"BIOES entity without its last tag was closed": 2, "E- after O or another type became B-": 1},
        ),
        (
            "BILOU",
            "B-X L-Y I-X",
            "B-X B-Y B-X",
            {
                "BILOU entity without its last tag was closed": 2,
                "L- after O or another type became B-": 1,
                "I- after O or another type became B-": 1,
            },
        ),
        ("BMES", "W-X B-X M-X E-X", "B-X B-X I-X I-X", {}),
    ],
)
def test_repairs_are_counted_by_kind(scheme: str, raw: str, converted: str, repairs: dict[str, int]) -> None:
    counted: Counter[str] = Counter()
    assert tags.Converter(scheme).to_iob2(raw.split(), counted) == converted.split()
    assert counted == repairs


@pytest.mark.parametrize("tag", ["X-PER", "PER", "B", "B-", "E-PER", "b-PER", "", "o"])
def test_an_unknown_tag_is_named_and_repairs_nothing(tag: str) -> None:
    counted: Counter[str] = Counter()
    with pytest.raises(tags.UnknownTagError) as caught:
        tags.Converter("IOB2").to_iob2(["I-X", "O", tag], counted)
    assert caught.value.index == 2
    assert not counted


@pytest.mark.parametrize(
    ("raw", "count"),
    [("PER PER O LOC", 2), ("X-A X-A X-B O", 2), ("B-X PER I-X", 3), ("E-X I-X", 2), ("", 0)],
)
def test_gold_in_tags_that_no_scheme_knows_is_counted(raw: str, count: int) -> None:
    assert tags.count_starts(raw.split()) == count
