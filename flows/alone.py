"""One run of the pipeline at a time in a project folder."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = Path(".dvc/tmp/hone/@run.lock")
_held = False


@contextmanager
def alone(say: Callable[[str], None]) -> Iterator[None]:
    """Hold the project's run lock; wait for the run that has it and ``say`` which that is.

    The kernel frees the lock on any death of its holder. Inside a process that holds it already nothing happens.
    """
    global _held
    if _held:
        yield
        return
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with LOCK.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock.fileno(), 80, 0).decode(errors="replace").strip() or "unknown"
            say(f"another run is at work here (process {holder}); waiting until it ends")
            fcntl.flock(lock, fcntl.LOCK_EX)
        os.ftruncate(lock.fileno(), 0)
        os.pwrite(lock.fileno(), f"{os.getpid()} since {time.strftime('%H:%M:%S')}".encode(), 0)
        _held = True
        try:
            yield
        finally:
            _held = False
