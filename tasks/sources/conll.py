"""CoNLL columns: a word a line with its columns, sentences apart by white-space-only lines."""

import re
from collections.abc import Iterator
from pathlib import Path

from tasks.records import Row
from tasks.sources import Item, Unreadable, open_binary, undecodable

# "# newdoc", "# newdoc id = X" (CoNLL-U), "# doc: X", "# doc X", "#begin document (X); part 0" (OntoNotes)
NEW_DOCUMENT = re.compile(
    r"#\s*(?:newdoc|doc|document|begin document)(?:\s+id)?(?:\s*[=:]\s*(?P<name>.*)|\s+(?P<word>\(.*|\S+))?\s*"
)
TAG = re.compile(r"O|[BIESLUMW]-\S+")


class _Sentence:
    """The lines of one sentence as they come in."""

    def __init__(self) -> None:
        self.line = 0  # of the first word
        self.columns: list[list[str]] = []
        self.broken: Unreadable | None = None


def read(path: Path, name: str) -> Iterator[Item]:
    """Yield a row per sentence with ``fields = {"columns": [[column, ...] per word]}``.

    A line with a tab is split at tabs (so a word may hold spaces), another one at runs of spaces. Lines end with LF or
    CRLF; a byte order mark is dropped; a line of white space only ends the sentence. ``-DOCSTART-`` in the first column
    and a comment ``# newdoc`` or ``# doc`` begin a document, named by the comment or else by its file and line.

    Comments stand before the first word of a sentence and start with ``#``. As a word can be or begin with ``#`` too,
    such a line is a word if it has as many columns as the first line after it that begins otherwise (or, without one,
    as the sentence before) and either both hold tabs or one of its columns is a tag. After the first word of a sentence
    every line is a word.

    Bytes that are not UTF-8 make their whole sentence `Unreadable`, the others are not touched.
    """
    document: str | None = None
    sentence = _Sentence()
    pending: list[tuple[int, str]] = []  # lines with # of which is not yet known whether they are comments
    width = (0, False)  # columns of the last word, and whether it was split at tabs

    def settle(like: tuple[int, bool]) -> None:
        """Sort the pending lines into comments and words, now that the form of the words around them is known."""
        nonlocal document
        for number, text in pending:
            parts = _split(text)
            fits = len(parts) == like[0] and ("\t" in text if like[1] else "\t" not in text)
            if sentence.columns or (len(parts) > 1 and _is_word(parts, fits or not like[0], tabs="\t" in text)):
                if not sentence.columns:
                    sentence.line = number
                sentence.columns.append(parts)
            elif match := NEW_DOCUMENT.fullmatch(text):
                document = (match["name"] or match["word"] or "").strip() or f"{name}:{number}"
        pending.clear()

    with open_binary(path) as file:
        for number, raw in enumerate(file, start=1):
            if number == 1:
                raw = raw.removeprefix(b"\xef\xbb\xbf")
            try:
                text = raw.decode().rstrip("\r\n")
            except UnicodeDecodeError as error:
                kind, message, remedy = undecodable(error)
                sentence.broken = sentence.broken or Unreadable(kind, f"{name}:{number}", message, remedy)
                text = raw.decode(errors="replace").rstrip("\r\n")
            if not text or text.isspace():
                settle(width)
                yield from _finish(sentence, name, document)
                sentence = _Sentence()
                continue
            if text[0] == "#" and not sentence.columns:
                pending.append((number, text))
                continue
            parts = _split(text)
            if parts[0] == "-DOCSTART-":
                settle(width)
                yield from _finish(sentence, name, document)
                sentence = _Sentence()
                document = f"{name}:{number}"
                continue
            width = (len(parts), "\t" in text)
            if pending:
                settle(width)
            if not sentence.columns:
                sentence.line = number
            sentence.columns.append(parts)
        settle(width)
        yield from _finish(sentence, name, document)


def _split(text: str) -> list[str]:
    if "\t" not in text:
        return [part for part in text.split(" ") if part]
    parts = text.split("\t")
    return [part.strip(" ") for part in parts] if " " in text else parts


def _is_word(parts: list[str], fits: bool, *, tabs: bool) -> bool:
    return fits and (tabs or any(TAG.fullmatch(part) for part in parts[1:]))


def _finish(sentence: _Sentence, name: str, document: str | None) -> Iterator[Item]:
    row = Row(name, sentence.line, document, {"columns": sentence.columns}) if sentence.columns else None
    if sentence.broken is not None:
        sentence.broken.remains = row
        yield sentence.broken
    elif row is not None:
        yield row
