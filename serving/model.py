"""What serving asks of a model, and the version that a folder holds."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tasks.errors import UserError

CARD = "export.json"
BLOCK = 1 << 20
Answer = dict[str, Any]
Signature = tuple[tuple[str, int, int, int], ...]


class Model(Protocol):
    """A model that answers texts. Its methods are called from one thread at a time."""

    task: str

    def answers(self, texts: Sequence[str]) -> list[Answer]:
        """One JSON-able answer per text, in order. UserError for a text that the task cannot read."""
        ...


Load = Callable[[Path], Model]


@dataclass(frozen=True, slots=True)
class Served:
    """A model in use and the version of the folder that it came from."""

    model: Model
    version: str
    signature: Signature


def serve_from(folder: Path, load: Load) -> Served:
    """The model of ``folder``, tried on one text.

    Raises:
        UserError: there is none, it cannot be used, or the folder changed while it was read.
    """
    before = signature(folder)
    if CARD not in {name for name, *_ in before}:
        raise UserError(f"{folder / CARD}: no such file; 'hone export' makes it")
    model = load(folder)
    with suppress(UserError):  # a task that wants more than a plain text has answered: it refuses this one
        model.answers(["Is this thing on?"])
    version = _version(folder)
    if signature(folder) != before:
        raise UserError(f"{folder}: changed while it was read; it is tried again once it rests")
    return Served(model, version, before)


def signature(folder: Path) -> Signature:
    """Name, size, time and inode of each file: cheap to take, and different once a file was replaced."""
    if not folder.is_dir():
        return ()
    found = []
    for path in sorted(folder.iterdir()):
        try:
            facts = path.stat()
        except FileNotFoundError:  # taken away between listing and looking
            continue
        found.append((path.name, facts.st_size, facts.st_mtime_ns, facts.st_ino))
    return tuple(found)


def _version(folder: Path) -> str:
    """The first 12 hexadecimal digits of the SHA-256 over names and bytes of the folder's files."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
    return digest.hexdigest()[:12]
