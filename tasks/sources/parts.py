"""One part of a JSON object that holds several splits, each a list of rows: ``data.json:train``."""

import json
from collections.abc import Iterator
from pathlib import Path

from tasks.errors import UserError
from tasks.records import Row
from tasks.sources import Item, Unreadable, open_binary, split_key, undecodable


def read(path: Path, name: str) -> Iterator[Item]:
    """Yield a row per entry of the list; its line is the entry's number, from 1.

    An entry is an object, or a list whose values get the names "0", "1" and so on. `Unreadable` are all others.

    Raises:
        UserError: the file is not UTF-8, not JSON or no object, or the key is not there or holds no list.
    """
    file, key = split_key(name)
    try:
        with open_binary(path) as opened:
            value = json.loads(opened.read().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        _, message, remedy = undecodable(error)
        raise UserError(f"{file}: {message}; {remedy}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file}: not JSON ({error}); mend the file") from None
    if not isinstance(value, dict) or not isinstance(value.get(key), list):
        there = ", ".join(value) if isinstance(value, dict) else "no keys at all"
        raise UserError(f"{file}: no list under the key {key!r}; there are: {there}")
    for number, entry in enumerate(value[key], start=1):
        if isinstance(entry, list):
            entry = {str(place): part for place, part in enumerate(entry)}
        if not isinstance(entry, dict):
            message = f"{str(entry)[:40]!r} is neither an object nor a list"
            yield Unreadable("not an object", f"{name}:{number}", message, "take it out or mend it")
            continue
        document = entry.get("document")
        yield Row(name, number, document if isinstance(document, str) else None, entry)
