"""A folder with a folder per label, and in each a file per text."""

from collections.abc import Iterator
from pathlib import Path

from tasks.errors import UserError
from tasks.records import Row
from tasks.sources import Item, Unreadable, undecodable


def read(path: Path, name: str) -> Iterator[Item]:
    """Yield a row per file with ``fields = {"text": ..., "label": name of its folder}``, in the order of the names.

    A row's file is the text's own, its line 1. Files whose names begin with a dot are passed over.

    Raises:
        UserError: a file lies beside the folders of the labels.
    """
    for folder in sorted(path.iterdir()):
        if folder.name.startswith("."):
            continue
        if not folder.is_dir():
            raise UserError(f"{name}/{folder.name}: a file where folders by label are expected; move it into one")
        for file in sorted(folder.iterdir()):
            if file.name.startswith(".") or not file.is_file():
                continue
            place = f"{name}/{folder.name}/{file.name}"
            raw = file.read_bytes().removeprefix(b"\xef\xbb\xbf")
            try:
                yield Row(place, 1, None, {"text": raw.decode(), "label": folder.name})
            except UnicodeDecodeError as error:
                remains = Row(place, 1, None, {"text": raw.decode(errors="replace"), "label": folder.name})
                kind, message, remedy = undecodable(error)
                yield Unreadable(kind, f"{place}:1", message, remedy, remains)
