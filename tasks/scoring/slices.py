"""Slices of entities: what those have in common that a model finds easy or hard.

The attributes are those of Fu, Liu and Neubig (2020), "Interpretable Multi-dataset Evaluation for Named Entity
Recognition", with fixed bounds instead of quantiles, so that a slice means the same in every run. An error is sliced
by its first gold entity, a spurious one by the predicted entity, a right one by itself.
"""

from bisect import bisect_right
from collections.abc import Mapping, Set

from tasks.records import Example
from tasks.scoring.cases import Case
from tasks.scoring.occurrences import Occurrences, words_of

SEEN, UNSEEN, AMBIGUOUS = "seen", "unseen", "ambiguous"


def slices(case: Case, example: Example, facts: Occurrences) -> dict[str, str]:
    """The slice of a case in each dimension that applies to it.

    ``frequency in train`` is of entities that train has as such, ``label consistency`` of words that train has at all,
    ``document`` of examples whose document is known: what is left is one slice and not the same one thrice.
    """
    start, end, label = case.place
    words = words_of(example, start, end)
    length = len(example.inputs["words"])
    types = facts.types(words)
    found = {
        "entity length": _bin(end - start, (1, 2, 3, 4), ("1 word", "2 words", "3 words", "4 words or more")),
        "seen in train": _seen(types.keys(), label),
        "sentence length": _bin(
            length, (1, 10, 20, 30, 50), ("under 10 words", "10 to 19", "20 to 29", "30 to 49", "50 words or more")
        ),
        "position": "first word" if start == 0 else "first half" if 2 * start < length else "second half",
        "casing": casing(words),
    }
    if types:
        names = ("once", "2 to 4 times", "5 to 9 times", "10 times or more")
        found["frequency in train"] = _bin(types.total(), (1, 2, 5, 10), names)
    if words in facts.labels:
        found["label consistency"] = _consistency(facts.labels[words], label)
    if example.document is not None:
        found["document"] = example.document
    return found


def casing(words: tuple[str, ...]) -> str:
    """How words are written; a single letter in capitals counts as a capital first letter."""
    text = "".join(words)
    if not any(character.isupper() or character.islower() for character in text):
        return "no letters with case"
    if text.islower():
        return "lower case"
    if text.isupper() and len(text) > 1:
        return "upper case"
    cased = [word for word in words if any(character.isupper() or character.islower() for character in word)]
    if all(word[0].isupper() and not any(map(str.isupper, word[1:])) for word in cased):
        return "capital first letters"
    return "mixed case"


def _seen(types: Set[str], label: str) -> str:
    """Ambiguous: as an entity of another type than this one, or of several."""
    if not types:
        return UNSEEN
    return SEEN if types == {label} else AMBIGUOUS


def _consistency(labels: Mapping[str, int], label: str) -> str:
    """Share of the form's occurrences in train, as an entity or not, that have this type."""
    share = labels.get(label, 0) / sum(labels.values())
    if share in (0, 1):
        return "never this type" if share == 0 else "always this type"
    return "mostly this type" if share >= 0.5 else "mostly another"


def _bin(value: int, starts: tuple[int, ...], names: tuple[str, ...]) -> str:
    """The name of the bin that ``value`` falls into; a bin goes from its start to before the next one's."""
    return names[bisect_right(starts, value) - 1]
