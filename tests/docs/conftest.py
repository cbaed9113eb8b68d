"""A page of docs/ as its tests see it: code blocks, tables and annotated sentences."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from tasks.models import EMBEDDED, load_tokenizer, resolve

DOCS = Path(__file__).resolve().parents[2] / "docs"

Sentence = tuple[list[str], list[str]]  # words and their IOB2 tags


@dataclass(frozen=True)
class Page:
    """The text of a page and what stands in it."""

    text: str

    def block(self, language: str) -> str:
        """The only code block in this language."""
        (found,) = re.findall(rf"```{language}\n(.*?)```", self.text, flags=re.DOTALL)
        return str(found)

    def header(self, first_cell: str) -> list[str]:
        """The cells of the header that starts with this one, without it."""
        lines = self.text.splitlines()
        return cells(next(line for line in lines if line.startswith(f"| {first_cell} |")))[1:]

    def rows(self, first_cell: str) -> list[list[str]]:
        """The body of the table whose header starts with this cell."""
        after = self.text.split(f"| {first_cell} |", 1)[1].split("\n\n", 1)[0]
        return [cells(line) for line in after.splitlines()[2:]]

    def sentences(self) -> list[Sentence]:
        """The annotated sentences of its text block."""
        return [self.bracketed(line) for line in self.block("text").splitlines()]

    @staticmethod
    def bracketed(line: str) -> Sentence:
        """Words and tags of ``[PER Marta Kovac] left ...``."""
        words, tags = [], []
        for label, entity, word in re.findall(r"\[([A-Z]+) ([^\]]+)\]|(\S+)", line):
            found = entity.split() or [word]
            words += found
            tags += [f"{'I' if at else 'B'}-{label}" if label else "O" for at in range(len(found))]
        return words, tags


def cells(line: str) -> list[str]:
    return [cell.strip(" `") for cell in line.strip().strip("|").split("|")]


@pytest.fixture(scope="session")
def conll2003() -> Page:
    return Page((DOCS / "conll2003.md").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def embedded() -> PreTrainedTokenizerFast:
    return load_tokenizer(*resolve(EMBEDDED, "embedded"))
