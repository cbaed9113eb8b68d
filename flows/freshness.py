"""Whether anything changed since DVC last found every stage unchanged, answered without starting DVC.

A memo holds what ``stat`` says of every file that DVC's answer rests on. All equal means unchanged; every doubt, also a
file touched and not changed, goes to DVC. It trusts what DVC's own state database trusts (path, time, size, inode) and
the time of the last change of the inode, which no program can set.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

from flows.dag import PIPELINE, stages, variable_files
from tasks.errors import UserError
from tasks.yaml_files import read_yaml

MEMO = Path(".dvc/tmp/hone/@memo.json")  # '@' is in no stage's name, so no lock of a stage collides with it
LOCK = Path("dvc.lock")
SETTINGS = (".dvcignore", ".dvc/config", ".dvc/config.local")
SETTLED = 1.0  # seconds: a younger file may still change without a new time, as file systems count coarsely

Snapshot = dict[str, list[int] | None]


def remembered() -> bool:
    """Whether DVC has found every stage unchanged, and nothing that this rests on has changed since."""
    try:
        memo = json.loads(MEMO.read_bytes())
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
        MEMO.parent.mkdir(parents=True, exist_ok=True)
        draft = MEMO.with_name(f"{MEMO.name}.{os.getpid()}")
        draft.write_text(json.dumps({"basis": _basis(), "roots": roots, "files": before}), encoding="utf-8")
        draft.replace(MEMO)
    return clean


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
    return ["1", version("dvc"), str(Path.cwd())]


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
