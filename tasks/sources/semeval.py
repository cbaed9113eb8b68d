"""SemEval-2010 task 8: a numbered sentence with two marked spans, the relation, a comment, each on a line."""

import re
from collections.abc import Iterator
from pathlib import Path

from tasks.records import Row
from tasks.sources import Item, Unreadable, open_binary, undecodable

SENTENCE = re.compile(r"\s*(\d+)\t(.*)", re.S)


def read(path: Path, name: str) -> Iterator[Item]:
    """Yield a row per sentence with ``fields = {"text": ..., "label": ...}``, quotes around the sentence left out.

    The row's line is that of the sentence; its marks stay in the text. An empty line ends a block, lines end with LF or
    CRLF. `Unreadable` are bytes that are not UTF-8 and blocks that do not begin with a number, a tab and a sentence.
    """
    block: list[bytes] = []
    first = 1
    with open_binary(path) as file:
        for number, raw in enumerate(file, start=1):
            if number == 1:
                raw = raw.removeprefix(b"\xef\xbb\xbf")
            if raw.strip():
                first = first if block else number
                block.append(raw)
            elif block:
                yield _item(block, name, first)
                block = []
    if block:
        yield _item(block, name, first)


def _item(block: list[bytes], name: str, first: int) -> Item:
    for offset, raw in enumerate(block):
        try:
            raw.decode()
        except UnicodeDecodeError as error:
            kind, message, remedy = undecodable(error)
            return Unreadable(kind, f"{name}:{first + offset}", message, remedy, _row(block, name, first))
    row = _row(block, name, first)
    if not SENTENCE.fullmatch(block[0].decode()):
        message = f"{block[0].decode().strip()[:40]!r} is no number, tab and sentence"
        return Unreadable("no sentence", f"{name}:{first}", message, "leave an empty line before each sentence", row)
    return row


def _row(block: list[bytes], name: str, first: int) -> Row:
    lines = [raw.decode(errors="replace").strip() for raw in block]
    text = SENTENCE.fullmatch(lines[0])
    sentence = text[2] if text else lines[0]
    if len(sentence) > 1 and sentence[0] == sentence[-1] == '"':
        sentence = sentence[1:-1]
    label = lines[1] if len(lines) > 1 and not lines[1].startswith("Comment:") else ""
    return Row(name, first, None, {"text": sentence, "label": label})
