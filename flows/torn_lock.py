"""A dvc.lock that DVC was killed over: DVC writes it in place, and refuses all work while half of it is there."""

import fcntl
import os
import re
from pathlib import Path
from typing import Any

from tasks.errors import UserError
from tasks.yaml_files import read_yaml

LOCK = Path("dvc.lock")
KEPT = Path(".dvc/tmp/hone/dvc.lock")  # the last whole one that we saw
GUARD = Path(".dvc/tmp/lock")  # what DVC holds while it writes


def keep() -> None:
    """Copy dvc.lock aside if it is whole."""
    if LOCK.exists() and whole(LOCK):
        KEPT.parent.mkdir(parents=True, exist_ok=True)
        part = KEPT.with_name("dvc.lock.part")
        part.write_bytes(LOCK.read_bytes())
        part.replace(KEPT)


def mend() -> bool:
    """Put the last whole dvc.lock in the place of a torn one, or take it away where none was kept; whether it did.

    An older lock costs no training: what it does not know DVC brings from its run-cache. While another DVC is at work
    nothing is done, as it may be writing this very file.
    """
    if not LOCK.exists() or whole(LOCK):
        return False
    GUARD.parent.mkdir(parents=True, exist_ok=True)
    with GUARD.open("a+") as guard:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if whole(LOCK):  # it was only being written
            return False
        if KEPT.exists():
            part = LOCK.with_name(f"dvc.lock.{os.getpid()}.part")
            part.write_bytes(KEPT.read_bytes())
            part.replace(LOCK)
        else:
            LOCK.unlink()
        return True


def whole(path: Path) -> bool:
    """Whether the file is what DVC writes: at least as strict as DVC's schema, without loading DVC."""
    try:
        lock = read_yaml(path)
    except UserError:
        return False
    stages: Any = lock.get("stages", {})
    return lock.get("schema") == "2.0" and isinstance(stages, dict) and all(map(_is_stage, stages.values()))


def _is_stage(stage: Any) -> bool:
    if not isinstance(stage, dict) or not isinstance(stage.get("cmd"), str | list):
        return False
    params = stage.get("params", {})
    entries = [stage.get("deps", []), stage.get("outs", [])]
    return (
        isinstance(params, dict)
        and all(isinstance(values, dict) for values in params.values())
        and all(isinstance(some, list) and all(map(_is_entry, some)) for some in entries)
    )


def _is_entry(entry: Any) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
        return False
    return (
        isinstance(entry.get("hash", ""), str)
        and re.fullmatch(r"[0-9a-f]{32}(\.dir)?", str(entry.get("md5", "0" * 32))) is not None
        and all(isinstance(entry.get(name, 0), int) for name in ("size", "nfiles"))
    )
