"""JSON lines: an object a line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.records import Row
from tasks.sources import Item, Unreadable, open_binary, undecodable


def read(path: Path, name: str) -> Iterator[Item]:
    """Yield a row per line with the object as ``fields``; a string in its field ``document`` names the document.

    Blank lines are passed over, a byte order mark is dropped. `Unreadable` are bytes that are not UTF-8, what is not
    JSON or not an object, and text that no file can hold (half of a surrogate pair, written as ``\\\\ud83d``).
    """
    with open_binary(path) as file:
        for number, raw in enumerate(file, start=1):
            if number == 1:
                raw = raw.removeprefix(b"\xef\xbb\xbf")
            if raw.isspace():
                continue
            place = f"{name}:{number}"
            try:
                text = raw.decode()
            except UnicodeDecodeError as error:
                yield Unreadable(undecodable(error)[0], place, *undecodable(error)[1:], _remains(raw, name, number))
                continue
            try:
                fields = json.loads(text)
            except (ValueError, RecursionError) as error:
                yield Unreadable("not JSON", place, f"not JSON ({error})", "mend the line: one object a line")
                continue
            if not isinstance(fields, dict):
                message = f"a JSON {_kind(fields)} instead of an object"
                yield Unreadable("not an object", place, message, 'write {"tokens": [...], "tags": [...]} a line')
                continue
            row = _row(fields, name, number)
            if "\\u" in text and not _writable(fields):
                message = "half of a surrogate pair, which is no character"
                yield Unreadable("undecodable bytes", place, message, "write the whole character", row)
                continue
            yield row


def _row(fields: dict[str, Any], name: str, number: int) -> Row:
    document = fields.get("document")
    return Row(name, number, document if isinstance(document, str) else None, fields)


def _remains(raw: bytes, name: str, number: int) -> Row | None:
    try:
        fields = json.loads(raw.decode(errors="replace"))
    except (ValueError, RecursionError):
        return None
    return _row(fields, name, number) if isinstance(fields, dict) else None


def _writable(fields: dict[str, Any]) -> bool:
    try:
        json.dumps(fields, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind(value: Any) -> str:
    kinds = {list: "list", str: "string", bool: "truth value", int: "number", float: "number"}
    return kinds.get(type(value), "null")
