"""Whether anything changed since DVC last found every stage unchanged, answered without starting DVC.

A memo holds what ``stat`` says of every file that DVC's answer rests on. All equal means unchanged; every doubt, also a
file touched and not changed, goes to DVC. It trusts what DVC's own state database trusts (path, time, size, inode) and
the time of the last change of the inode, which no program can set.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from flows.dag import PARAMS, PIPELINE, Stage, stages, value_of, variable_files
from flows.memo import keep, recall
from flows.yaml_files import read_yaml
from tasks.errors import UserError

MEMO = Path(".dvc/tmp/hone/@memo.json")  # '@' is in no stage's name, so no lock of a stage collides with it
LOCK = Path("dvc.lock")
SETTINGS = (".dvcignore", ".dvc/config", ".dvc/config.local")
SETTLED = 1.0  # seconds: a younger file may still change without a new time, as file systems count coarsely

SMALL = 1_000_000  # bytes of files that are hashed at once

Snapshot = dict[str, list[int] | None]


def remembered() -> bool:
    """Whether DVC has found every stage unchanged, and nothing that this rests on has changed since."""
    try:
        memo = recall(MEMO)
        return bool(memo["basis"] == _basis() and memo["files"] == snapshot(memo["roots"]))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def confirm(ask: Callable[[], bool], *, patient: bool = False) -> bool:
    """Ask DVC whether everything is unchanged, and remember a yes if nothing moved meanwhile.

    Args:
        ask: DVC's answer.
        patient: wait up to a second for files just written to settle, as after a run; else such a yes is not kept.
    """
    roots = _roots()
    before = snapshot(roots) if roots else None
    if before and patient:
        time.sleep(min(SETTLED, max(0.0, SETTLED - age(before))))
    settled = before is not None and age(before) >= SETTLED
    clean = ask()
    if clean and roots and before and settled and snapshot(roots) == before:
        keep(MEMO, {"basis": _basis(), "roots": roots, "files": before})
    return clean


def plainly_changed(ordered: list[Stage]) -> bool:
    """Whether some stage differs from dvc.lock in what is quick to see, so that DVC need not be asked (some ms).

    A stage without entry, a param of params.yaml with another value, a small file with another hash, a missing path.
    """
    locked = read_yaml(LOCK).get("stages") or {} if LOCK.exists() else {}
    values = read_yaml(PARAMS) if PARAMS.exists() else {}
    for stage in ordered:
        entry = locked.get(stage.name)
        if not isinstance(entry, dict) or not all(Path(path).exists() for path in stage.leaves):
            return True
        params = (entry.get("params") or {}).get(str(PARAMS)) or {}
        if any(value_of(values, str(key)) != value for key, value in params.items()):
            return True
        if any(_other_file(dep) for dep in entry.get("deps") or []):
            return True
    return False


def _other_file(entry: dict[str, Any]) -> bool:
    path, size = Path(str(entry["path"])), entry.get("size")
    if "://" in str(entry["path"]) or entry.get("hash") != "md5" or not isinstance(size, int) or size > SMALL:
        return False
    try:
        if not path.is_file():
            return not path.exists()
        content = path.read_bytes()
    except OSError:
        return False
    return hashlib.md5(content, usedforsecurity=False).hexdigest() != entry.get("md5")


def snapshot(roots: list[str]) -> Snapshot | None:
    """Path to [mtime, ctime (ns), size, inode] of every file under ``roots``, None for a missing one.

    None altogether when a link to a folder stands inside: DVC and ``stat`` may see different things then.
    """
    files: Snapshot = {}
    for root in roots:
        try:
            status = Path(root).stat()
        except (FileNotFoundError, NotADirectoryError):
            files[root] = None
            continue
        if not Path(root).is_dir():
            files[root] = [status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino]
            continue
        for entry in _files(root):
            if entry.is_dir():
                return None
            status = entry.stat()
            files[entry.path] = [status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino]
    return files


def _files(folder: str) -> Iterator["os.DirEntry[str]"]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path)
            else:
                yield entry


def age(files: Snapshot) -> float:
    """Seconds since the newest change, negative when a time lies in the future."""
    newest = max((max(status[:2]) for status in files.values() if status), default=0)
    return (time.time_ns() - newest) / 1e9


def _basis() -> list[str]:
    """What else decides DVC's answer: which DVC it is, and where."""
    found = find_spec("dvc")
    installed = Path(found.origin).with_name("_version.py") if found and found.origin else Path()
    status = installed.stat()  # the version in words takes longer than all the rest
    return ["2", str(installed), f"{status.st_mtime_ns} {status.st_size}", str(Path.cwd())]


def _roots() -> list[str] | None:
    """Every path that DVC's answer rests on; None when this code and dvc.lock do not agree on what these are."""
    try:
        ordered = stages()
        locked = read_yaml(LOCK).get("stages") or {}
        roots = {str(PIPELINE), str(LOCK), *SETTINGS, *variable_files()}
    except UserError:
        return None
    for stage in ordered:
        entry = locked.get(stage.name)
        if not isinstance(entry, dict):
            return None
        deps = {str(dep["path"]) for dep in entry.get("deps") or []}
        outs = {str(out["path"]) for out in entry.get("outs") or []}
        if deps != set(stage.deps) or outs != set(stage.leaves) or any("://" in path for path in deps | outs):
            return None
        beside = {f"{path}.dvc" for dep in map(Path, deps) for path in (dep, *dep.parents) if path.name}
        roots |= deps | outs | beside | set(stage.sources) | set(entry.get("params") or {})
    return sorted(roots)
