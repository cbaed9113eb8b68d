"""What train says of a surface form: how often these very words stand there, as what, and in which sentences."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from tasks.records import Example
from tasks.scoring.cases import Case
from tasks.scoring.selection import strict_spans

OUTSIDE = "O"  # the words are no entity
PART = "part of another"  # they overlap an entity without being one
KEPT = 3  # sentences that are kept of a form and label

Form = tuple[str, ...]


@dataclass(frozen=True)
class Occurrences:
    """What train says of some surface forms, which are compared word by word with capitals.

    Attributes:
        labels: of each form that occurs in train, how often it is what: a type, OUTSIDE or PART.
        sentences: id and text (words joined by spaces) of the first KEPT sentences of each form and label.
        names: the distinct entities of train by type, sorted.
    """

    labels: Mapping[Form, Counter[str]]
    sentences: Mapping[tuple[Form, str], list[tuple[str, str]]]
    names: Mapping[str, Sequence[Form]]

    def types(self, form: Form) -> Counter[str]:
        """How often the form is an entity of which type."""
        known = self.labels.get(form, Counter())
        return Counter({label: count for label, count in known.items() if label not in (OUTSIDE, PART)})

    def examples(self, form: Form, most: int) -> list[dict[str, str]]:
        """At most ``most`` sentences with the form, every label in turn, the most frequent one first."""
        labels = sorted(self.labels.get(form, Counter()).items(), key=lambda item: (-item[1], item[0]))
        columns = [
            [{"id": name, "text": text, "type": label} for name, text in self.sentences[form, label]]
            for label, _ in labels
        ]
        return [cell for row in zip_longest(*columns) for cell in row if cell is not None][:most]


def occurrences(train: Iterable[Example], examples: Sequence[Example], cases: Sequence[Case]) -> Occurrences:
    """Read train once for the forms of the gold and predicted entities of ``cases``, which are of ``examples``."""
    wanted: dict[str, set[Form]] = {}  # by first word
    for case in cases:
        for place in (*case.gold, *case.predicted):
            form = words_of(examples[case.item], place[0], place[1])
            wanted.setdefault(form[0], set()).add(form)
    labels: dict[Form, Counter[str]] = {}
    sentences: dict[tuple[Form, str], list[tuple[str, str]]] = {}
    names: dict[str, set[Form]] = {}
    for example in train:
        words, tags = example.inputs["words"], example.target
        spans = {(start, end): label for start, end, label in strict_spans(tags)}
        for (start, end), label in spans.items():
            names.setdefault(label, set()).add(tuple(words[start:end]))
        for start, word in enumerate(words):
            for form in wanted.get(word, ()):
                end = start + len(form)
                if tuple(words[start:end]) != form:
                    continue
                free = all(tag == OUTSIDE for tag in tags[start:end])
                found = spans.get((start, end)) or (OUTSIDE if free else PART)
                labels.setdefault(form, Counter())[found] += 1
                kept = sentences.setdefault((form, found), [])
                if len(kept) < KEPT:
                    kept.append((example.id, " ".join(words)))
    return Occurrences(labels, sentences, {label: sorted(forms) for label, forms in sorted(names.items())})


def words_of(example: Example, start: int, end: int) -> Form:
    """The words of a place of an example."""
    return tuple(example.inputs["words"][start:end])
