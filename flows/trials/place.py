"""Where trials live in a project's folder, all of it ignored by Git: worktrees, logs, locks."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tasks.errors import UserError

TRIALS = Path(".dvc/tmp/hone/trials")  # a folder per trial at work, named by the beginning of its key
LOGS = Path(".dvc/tmp/hone/logs")  # <group>/<name>.log
ACTIVITY = TRIALS / "@activity"  # shared by all fan-outs, exclusive for who removes things from the cache
STAGES = Path(".dvc/tmp/hone/stages")  # a lock per stage at work, named by the key of its inputs


def trial_folder(root: Path, key: str) -> Path:
    """The folder of the worktrees of one trial."""
    return root / TRIALS / key[:20]


def log_file(root: Path, group: str, name: str) -> Path:
    """What DVC and the stages of a trial say, all attempts one after another."""
    return root / LOGS / (group or "single") / f"{name}.log"


def active(root: Path = Path()) -> AbstractContextManager[None]:
    """Hold the project's cache as it is: nothing is removed from it inside this block.

    Raises:
        UserError: something is being removed.
    """
    return _held(root, fcntl.LOCK_SH, "'hone gc' is at work on the cache; start again when it has ended")


def inactive(root: Path = Path()) -> AbstractContextManager[None]:
    """Keep trials from starting inside this block.

    Raises:
        UserError: trials are at work.
    """
    words = "trials are at work here and need the cache as it is; wait until they have ended"
    return _held(root, fcntl.LOCK_EX, words)


@contextmanager
def _held(root: Path, kind: int, refusal: str) -> Iterator[None]:
    path = root / ACTIVITY
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(refusal) from None
        yield
    finally:
        os.close(descriptor)
