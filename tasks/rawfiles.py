"""The raw files of a dataset that params name, found and checked before anything is read."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tasks.errors import UserError
from tasks.sources import sides, split_key

SHOWN = 12  # names that a message lists
CACHED = re.compile(r"/files/md5/[0-9a-f]{2}/[0-9a-f]{30}$")  # DVC may link a tracked file to its cache


@dataclass(frozen=True, slots=True)
class RawFile:
    """A raw file of a split; ``name`` is relative to the dataset's folder and stands in rows and messages.

    It may be a folder of files, and ``name`` may end with the key of the part of a JSON file that is meant, or with the
    second of two files of aligned lines.
    """

    path: Path
    name: str
    split: str


def find(raw: Path, dataset: str, splits: dict[str, list[str]]) -> list[RawFile]:
    """The files of all splits in the order of params.

    Args:
        raw: the dataset's folder; its end is ``dataset``.
        dataset: the name in params.yaml.
        splits: names of files by split.

    Raises:
        UserError: a dataset or file that is missing, named twice, or lies outside the folder of raw data.
    """
    parts = _parts(dataset, "dataset")
    root = raw.parents[len(parts) - 1]
    if not raw.is_dir():
        raise UserError(f"params.yaml: dataset: {dataset!r} is not there; {_others(root, dataset)}")
    _check_inside(raw, root, "dataset", dataset)
    files: list[RawFile] = []
    for split, names in splits.items():
        for given in names:
            key = f"splits.{split}"
            name = str(PurePosixPath(*_parts(given, key)))
            pair = None if (raw / name).exists() else sides(name)
            path = raw / (name if (raw / name).exists() else pair[0] if pair else split_key(name)[0])
            if pair and path.is_file():
                _check_second(raw / pair[1], root, key, given)
            if not path.is_file() and not (path.is_dir() and not path.suffix):
                there = sorted(str(file.relative_to(raw).as_posix()) for file in raw.rglob("*") if file.is_file())
                raise UserError(f"params.yaml: {key}: {given!r} is not in {raw}; there are: {_list(there)}")
            _check_inside(path, root, key, given)
            if not os.access(path, os.R_OK):
                raise UserError(f"params.yaml: {key}: {path} may not be read; 'chmod u+r {path}' permits it")
            twin = next((file for file in files if file.path.samefile(path) and _meets(file.name, name)), None)
            if twin is not None:
                raise UserError(f"params.yaml: {key}: {given!r} is in splits.{twin.split} already; name each file once")
            files.append(RawFile(path, name, split))
    return files


def clear(prepared: Path, raw: Path) -> None:
    """Make ``prepared`` an empty folder.

    Raises:
        UserError: it holds the raw data, lies within it, or is a file.
    """
    inner, outer = prepared.resolve(), raw.resolve()
    if inner.is_relative_to(outer) or outer.is_relative_to(inner):
        raise UserError(f"--prepared {prepared} is cleared, but the raw data is in {raw}; name another folder")
    if prepared.is_symlink():
        prepared.unlink()
    elif prepared.is_dir():
        shutil.rmtree(prepared)
    elif prepared.exists():
        raise UserError(f"--prepared {prepared} is a file; name a folder")
    prepared.mkdir(parents=True)


def count_lines(path: Path) -> int | None:
    """Line feeds in a file, for the progress of a first pass; None for a folder and for what is packed."""
    if path.is_dir() or path.suffix == ".gz":
        return None
    with path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))


def _check_second(path: Path, root: Path, key: str, given: str) -> None:
    """The file of the other side of aligned lines is there, may be read, and lies within the raw data."""
    if not path.is_file() or not os.access(path, os.R_OK):
        raise UserError(f"params.yaml: {key}: {given!r}: {path} is not there or may not be read; name both files")
    _check_inside(path, root, key, given)


def _meets(one: str, other: str) -> bool:
    """Whether two names of one file mean rows in common: not if they name different parts."""
    first, second = split_key(one)[1], split_key(other)[1]
    return first == second or not first or not second


def _parts(name: str, key: str) -> tuple[str, ...]:
    """The parts of a relative path that cannot leave where it starts."""
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts or "\0" in name:
        raise UserError(f"params.yaml: {key}: {name!r} leaves the folder of raw data; name something within it")
    return path.parts


def _check_inside(path: Path, root: Path, key: str, name: str) -> None:
    target = path.resolve()
    if not target.is_relative_to(root.resolve()) and not CACHED.search(target.as_posix()):
        raise UserError(
            f"params.yaml: {key}: {name!r} is a link out of {root}, which DVC would not see change; "
            "copy it in with 'hone import PATH --as NAME'"
        )


def _others(root: Path, dataset: str) -> str:
    """What is there instead, and how to get a dataset."""
    tracked = root / f"{dataset}.dvc"
    if tracked.is_file():
        return f"'dvc pull {tracked}' or 'dvc checkout {tracked}' brings it"
    there = sorted(path.name for path in root.glob("*") if path.is_dir()) if root.is_dir() else []
    return f"{root} holds: {_list(there)}; 'hone import PATH --as {dataset}' adds one"


def _list(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return (", ".join(names[:SHOWN]) or "nothing") + more
