"""Entries that dead processes left in .dvc/tmp/rwlock, where DVC takes a zombie or a reused id for a living one."""

import fcntl
import json
from pathlib import Path
from typing import Any

FOLDER = Path(".dvc/tmp")


def drop_dead() -> list[int]:
    """Remove the entries of processes that cannot be DVC any more; the ids removed.

    That is sure of one that is gone, a zombie, or started after the file was last written. While another DVC edits the
    file nothing is done: DVC then looks itself.
    """
    path = FOLDER / "rwlock"
    if not path.exists():
        return []
    with (FOLDER / "rwlock.lock").open("a+") as guard:  # the guard that DVC's own edits take
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
            entries: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        except (BlockingIOError, ValueError):
            return []
        written = path.stat().st_mtime
        holders = [holder for read in (entries.get("read") or {}).values() for holder in read]
        holders += (entries.get("write") or {}).values()
        dead = {pid for pid in {int(holder["pid"]) for holder in holders} if not _alive(pid, written)}
        if dead:
            living = {
                "write": {p: holder for p, holder in (entries.get("write") or {}).items() if holder["pid"] not in dead},
                "read": {
                    p: left
                    for p, read in (entries.get("read") or {}).items()
                    if (left := [holder for holder in read if holder["pid"] not in dead])
                },
            }
            path.write_text(json.dumps(living), encoding="utf-8")
        return sorted(dead)


def _alive(pid: int, written: float) -> bool:
    import psutil

    try:
        process = psutil.Process(pid)
        return bool(process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= written + 1)
    except psutil.NoSuchProcess:
        return False
