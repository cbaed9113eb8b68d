"""Tags of words: the schemes that raw data is written in, brought to IOB2, and spans.

A tag is ``O`` or a prefix, ``-`` and a type (``B-ORG``). The prefix says where in an entity the word stands:

=====  ==========================================================================================================
IOB1   ``I`` everywhere; ``B`` only on the first word of an entity that follows one of the same type at once
IOB2   ``B`` on the first word, ``I`` on the others
BIOES  ``B`` first, ``I`` inner, ``E`` last, ``S`` the only word
BILOU  ``B`` first, ``I`` inner, ``L`` last, ``U`` the only word
BMES   ``B`` first, ``M`` inner, ``E`` last, ``S`` or ``W`` (as in BMEWO) the only word
=====  ==========================================================================================================

IOB1: Ramshaw and Marcus (1995); IOB2: Tjong Kim Sang and Veenstra (1999); BILOU: Ratinov and Roth (2009).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

OUTSIDE = "O"
FIRST, INNER, LAST, SINGLE = "first", "inner", "last", "single"

# In the order in which they win when the data fits several equally well.
SCHEMES: dict[str, dict[str, str]] = {
    "IOB2": {"B": FIRST, "I": INNER},
    "IOB1": {"B": FIRST, "I": INNER},
    "BIOES": {"B": FIRST, "I": INNER, "E": LAST, "S": SINGLE},
    "BILOU": {"B": FIRST, "I": INNER, "L": LAST, "U": SINGLE},
    "BMES": {"B": FIRST, "M": INNER, "E": LAST, "S": SINGLE, "W": SINGLE},
}
PREFIXES = {prefix for roles in SCHEMES.values() for prefix in roles}
CACHED = 100_000  # tags or pairs of tags; only broken data has more, and must not fill the memory

Span = tuple[int, int, str]  # first word, word after the last, type


class UnknownTagError(ValueError):
    """A tag that its scheme does not have; ``index`` says which word."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index


class Meaning(NamedTuple):
    """What a tag says: the role of its word, the type, and the two tags that IOB2 may write for it."""

    role: str
    kind: str
    begin: str
    inside: str


def split(tag: str) -> tuple[str, str]:
    """Prefix and type; ``("O", "")`` for O, ``("", tag)`` where no scheme knows the prefix or there is no type."""
    if tag == OUTSIDE:
        return OUTSIDE, ""
    prefix, _, kind = tag.partition("-")
    return (prefix, kind) if prefix in PREFIXES and kind else ("", tag)


class Transitions:
    """Counts of neighbouring tags over any amount of data, in bounded memory: what a scheme is recognised by."""

    def __init__(self) -> None:
        self._tags: Counter[tuple[str, str]] = Counter()
        self._steps: Counter[tuple[str, str, bool]] = Counter()

    def add(self, tags: Sequence[str]) -> None:
        """Count the pairs of one sentence, its two edges as O."""
        self._tags.update(zip((OUTSIDE, *tags), (*tags, OUTSIDE), strict=True))
        if len(self._tags) > CACHED:
            self._fold()

    def scheme(self) -> str:
        """The scheme whose rules the fewest pairs break; the first of `SCHEMES` among equals.

        So an ``I-`` that starts an entity speaks against IOB2, a ``B-`` that does not follow its own type against
        IOB1, an entity without its last tag against the others, and an unknown prefix against all that lack it.
        """
        self._fold()
        broken = dict.fromkeys(SCHEMES, 0)
        for step, count in self._steps.items():
            for scheme in SCHEMES:
                broken[scheme] += count * _breaks(scheme, *step)
        return min(broken, key=lambda scheme: broken[scheme])

    def _fold(self) -> None:
        for (before, tag), count in self._tags.items():
            (prefix_before, kind_before), (prefix, kind) = split(before), split(tag)
            self._steps[prefix_before, prefix, kind_before == kind] += count
        self._tags.clear()


def _breaks(scheme: str, before: str, prefix: str, same: bool) -> bool:
    """Whether ``prefix`` may not stand after ``before``; ``same`` says that both have one type."""
    roles = SCHEMES[scheme]
    role = roles.get(prefix)
    if role is None and prefix != OUTSIDE:
        return True
    goes_on = roles.get(before) in (FIRST, INNER)
    if scheme == "IOB1":
        return role == FIRST and not (goes_on and same)
    if role in (INNER, LAST):
        return not (goes_on and same)
    return goes_on and scheme != "IOB2"


class Converter:
    """Brings the tags of one scheme to IOB2, sentence by sentence."""

    def __init__(self, scheme: str) -> None:
        self.scheme = scheme
        self._meanings: dict[str, Meaning] = {}
        self._closed = scheme not in ("IOB1", "IOB2")  # the scheme marks the last word too

    def to_iob2(self, tags: Sequence[str], repairs: Counter[str]) -> list[str]:
        """IOB2 tags of one sentence. Every entity is kept; what broke the scheme's rules is counted by kind.

        Args:
            tags: one per word, in the scheme of this converter.
            repairs: gets the kinds and their numbers; untouched if the sentence is refused.

        Raises:
            UnknownTagError: a tag without type or with a prefix that the scheme does not have.
        """
        meanings, closed, scheme = self._meanings, self._closed, self.scheme
        mended: list[str] = []
        answer: list[str] = []
        going = None  # type of the entity that the next word may go on with
        for tag in tags:
            if tag == OUTSIDE:
                if closed and going is not None:
                    mended.append(f"{scheme} entity without its last tag was closed")
                going = None
                answer.append(OUTSIDE)
                continue
            meaning = meanings.get(tag) or self._meaning(tag, len(answer))
            role, kind, begin, inside = meaning
            if role in (INNER, LAST) and going == kind:
                answer.append(inside)
            else:
                if closed and going is not None:
                    mended.append(f"{scheme} entity without its last tag was closed")
                if role in (INNER, LAST) and scheme != "IOB1":
                    mended.append(f"{tag.partition('-')[0]}- after O or another type became B-")
                elif scheme == "IOB1" and role == FIRST and going != kind:
                    mended.append("B- where IOB1 writes I- was kept")
                answer.append(begin)
            going = kind if role in (FIRST, INNER) else None
        if closed and going is not None:
            mended.append(f"{scheme} entity without its last tag was closed")
        if mended:
            repairs.update(mended)
        return answer

    def _meaning(self, tag: str, index: int) -> Meaning:
        prefix, kind = split(tag)
        role = SCHEMES[self.scheme].get(prefix)
        if role is None:
            raise UnknownTagError(index)
        if len(self._meanings) >= CACHED:
            self._meanings.clear()
        meaning = self._meanings[tag] = Meaning(role, kind, f"B-{kind}", f"I-{kind}")
        return meaning


def spans(tags: Iterable[str]) -> list[Span]:
    """The entities of IOB2 tags in order; an ``I-`` that follows nothing fitting starts one."""
    found: list[Span] = []
    start, going, index = 0, "", -1
    for index, tag in enumerate(tags):
        if tag[:2] == "I-" and tag[2:] == going:
            continue
        if going:
            found.append((start, index, going))
        start, going = index, tag[2:]
    if going:
        found.append((start, index + 1, going))
    return found


def from_spans(entities: Iterable[Span], length: int) -> list[str]:
    """IOB2 tags of ``length`` words for entities that do not overlap."""
    tags = [OUTSIDE] * length
    for start, end, kind in entities:
        tags[start] = f"B-{kind}"
        tags[start + 1 : end] = [f"I-{kind}"] * (end - start - 1)
    return tags


def count_starts(tags: Iterable[str]) -> int:
    """Entities in raw tags of any scheme, told by where they start: the figure that conversions are checked against.

    A first or single tag starts one, and so does an inner or last tag that does not go on with its own type. Of tags
    that no scheme knows, a run of equal ones counts as one entity.
    """
    count = 0
    before = ("O", "")
    for tag in tags:
        prefix, kind = split(tag)
        if prefix in ("B", "S", "U", "W"):
            count += 1
        elif prefix in ("I", "M", "E", "L"):
            count += before[1] != kind or before[0] not in ("B", "I", "M")
        elif prefix == "":
            count += (prefix, kind) != before
        before = (prefix, kind)
    return count
