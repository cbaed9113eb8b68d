"""A name for all that decides a stage's result, as dvc.yaml declares it: command, dependencies, params.

Equal in every checkout and worktree that holds the same content, whatever its path and the times of its files.
It is computed here because a stage does not know DVC. It may differ where DVC sees no difference (it does not read
.dvcignore): then work is done anew, which is safe; it never is the same where DVC sees one.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tasks.errors import UserError
from tasks.yaml_files import read_yaml

PARAMS = "params.yaml"
TEMPLATE = re.compile(r"(?<!\\)\$\{\s*([^}]+?)\s*\}")
NOT_INPUT = "__pycache__"


def inputs_key(pipeline: Path, stage: str, *, also: Sequence[str] = ()) -> str:
    """The SHA-256 in hexadecimal of a stage's inputs.

    It covers the command, the content of each dependency (a folder: the sorted relative paths and contents of its
    files, ``__pycache__`` and ``*.pyc`` left out) and the values of the declared params, ``${...}`` filled in.

    Args:
        pipeline: path of dvc.yaml; dependencies and params files are found from its folder, or the stage's ``wdir``.
        stage: a name under ``stages:``.
        also: what else decides the result and stands in no file, e.g. what the processor can do.

    Raises:
        UserError: unknown stage, a dependency, param or ``${name}`` that is not there.
    """
    document = read_yaml(pipeline)
    stages = document.get("stages") or {}
    if stage not in stages or "cmd" not in stages[stage]:
        known = ", ".join(name for name, entry in stages.items() if "cmd" in entry)
        raise UserError(
            f"{pipeline}: stages.{stage}: no such stage with a cmd of its own; there are: {known} "
            "(write a stage of foreach or matrix out in full)"
        )
    place = f"{pipeline}: stages.{stage}"
    names = _names(pipeline.parent, document.get("vars") or [])
    names |= _names(pipeline.parent, stages[stage].get("vars") or [])
    entry = _filled(stages[stage], names, place)
    folder = pipeline.parent / entry.get("wdir", ".")
    inputs = {
        "also": list(also),
        "cmd": entry["cmd"],
        "deps": {str(path): _content(folder / path, place) for path in entry.get("deps") or []},
        "params": _params(folder, entry.get("params") or [], place),
        "wdir": entry.get("wdir", "."),
    }
    return hashlib.sha256(json.dumps(_plain(inputs)).encode()).hexdigest()


def _names(folder: Path, variables: list[Any]) -> dict[str, Any]:
    """What ``${...}`` can name: params.yaml where there is one, and ``vars:`` (files and values)."""
    names = read_yaml(folder / PARAMS) if (folder / PARAMS).is_file() else {}
    for variable in variables:
        names |= variable if isinstance(variable, dict) else read_yaml(folder / str(variable).split(":")[0])
    return names


def _filled(value: Any, names: dict[str, Any], place: str) -> Any:
    """``value`` with every ``${name}`` in its texts replaced, keys of mappings too."""
    if isinstance(value, str):
        return TEMPLATE.sub(lambda match: str(_look_up(names, match[1], place)), value)
    if isinstance(value, list):
        return [_filled(part, names, place) for part in value]
    if isinstance(value, dict):
        return {_filled(key, names, place): _filled(part, names, place) for key, part in value.items()}
    return value


def _look_up(values: Any, name: str, place: str) -> Any:
    """The value at ``a.b.0`` or ``a.b[0]`` in nested mappings and lists."""
    for part in name.replace("[", ".").replace("]", "").split("."):
        try:
            values = values[int(part)] if isinstance(values, list) else values[part]
        except (KeyError, IndexError, ValueError, TypeError):
            raise UserError(f"{place}: {name!r} is not in the params; write it there or mend the name") from None
    return values


def _params(folder: Path, entries: list[Any], place: str) -> dict[str, Any]:
    """Values of the declared params by file; the whole file's hash where no key is named or it is not YAML or JSON."""
    wanted: dict[str, list[str] | None] = {}
    for entry in entries:
        for file, keys in entry.items() if isinstance(entry, dict) else [(PARAMS, [entry])]:
            before = wanted.setdefault(file, [])
            wanted[file] = None if keys is None or before is None else before + keys
    found: dict[str, Any] = {}
    for file, names in wanted.items():
        if names is None or Path(file).suffix not in (".yaml", ".yml", ".json"):
            found[file] = _content(folder / file, place)
        else:
            values = read_yaml(folder / file)
            found[file] = {name: _look_up(values, name, place) for name in names}
    return found


def _content(path: Path, place: str) -> Any:
    """The SHA-256 of a file, or of each file of a folder by its path in it; read in blocks."""
    if path.is_dir():
        return {file.relative_to(path).as_posix(): _digest(file) for file in _files(path)}
    if not path.is_file():
        raise UserError(f"{place}: {path} is not there (a URL cannot be read here); 'dvc checkout' brings data back")
    return _digest(path)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    seen = set()  # links to folders are followed, but not round and round
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if name != NOT_INPUT)
        yield from (Path(place, name) for name in sorted(files) if not name.endswith(".pyc"))


def _plain(value: Any) -> Any:
    """``value`` in a form whose JSON is the same for equal values alone: sorted keys, 1 and "1" kept apart."""
    if isinstance(value, dict):
        return {"map": sorted([type(key).__name__, str(key), _plain(part)] for key, part in value.items())}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value if value is None or isinstance(value, str | int | float) else [type(value).__name__, str(value)]
