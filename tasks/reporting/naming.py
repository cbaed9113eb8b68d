"""Names of slices as a report may show them."""

from tasks.reporting.wording import visible

# Dimensions whose names are words of hone or labels. Those of any other may quote the data, as the name of a document
# does, and are numbered where no text may be shown.
OWN_WORDS = frozenset(
    {
        "kind",
        "type",
        "entity length",
        "seen in train",
        "frequency in train",
        "label consistency",
        "sentence length",
        "position",
        "casing",
        "text length",
        "class in train",
        "duplicate in train",
        "confused",
        "words between",
        "question word",
        "answer length",
        "source length",
        "novelty of the reference",
        "novelty of the summary",
        "copied from the source",
        "names and numbers",
        "repetition",
        "turn",
        "history length",
        "service in train",
        "written response in train",
        "gold response in train",
    }
)


class Naming:
    """How slices are called in one report: the same name for the same slice wherever it stands."""

    def __init__(self, *, show_text: bool) -> None:
        self._show_text = show_text
        self._numbers: dict[tuple[str, str], int] = {}

    def name(self, dimension: str, name: str) -> str:
        """The name itself, or a number of the dimension, in the order in which they were asked for."""
        if self._show_text or dimension in OWN_WORDS:
            return visible(name)
        taken = sum(1 for other, _ in self._numbers if other == dimension)
        number = self._numbers.setdefault((dimension, name), taken + 1)
        return f"{dimension} {number}"
