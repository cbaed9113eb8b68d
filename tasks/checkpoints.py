"""Checkpoints of a stage that runs long: written whole or not at all, found again by what the stage's inputs are.

Where: ``.dvc/tmp/hone/checkpoints/<key>/step-<number>/``, which Git ignores and no out contains, so that DVC deletes
nothing of it. A linked Git worktree uses the folder of the main checkout: a new worktree with the same inputs goes on
where a lost one stopped. Tensors are in safetensors, the rest is JSON; there is no pickle.

The rule of what stays: the newest two of a run stay while it works, and all of a run's are removed when it succeeds.
Those of other inputs are removed at the next start when nothing was written there for 7 days or, oldest first, as long
as all together hold more than 20 GB; never those of a process that lives, for it holds the lock in the folder, which
the kernel frees on any death. While nothing runs, removing ``.dvc/tmp/hone/checkpoints`` by hand costs time alone.
"""

import errno
import os
import re
import shutil
import signal
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from tasks import keyed_folders
from tasks.checkpoint_files import PART, bytes_of, damage, discard, read_checkpoint, write_checkpoint
from tasks.errors import UserError
from tasks.stage import say

if TYPE_CHECKING:
    import torch

STEP = re.compile(r"step-(\d+)(?:-(\d+))?")  # the second number where one step was saved again
POLL = 0.2  # seconds between two looks at a lock that another process holds
DAYS, BYTES = 7, 20_000_000_000  # of checkpoints that belong to other inputs
ENDED_BY_SIGTERM = 128 + signal.SIGTERM


class Checkpoints:
    """The checkpoints of one run. As a context it waits for the lock, cleans, and answers SIGTERM until its end.

    Args:
        folder: holds one folder per key; ``keyed_folders.shared_place`` says which.
        key: name of the run's inputs, from ``tasks.inputs_key``.
        keep: how many stay, at least 1; while one is written there is one more on the disk.
        every_steps: optimizer steps between two checkpoints; 0 means that steps do not count.
        every_seconds: seconds between two checkpoints; 0 means that time does not count.

    Attributes:
        folder: of this key.
        stopping: whether SIGTERM has come.
    """

    def __init__(
        self, folder: Path, key: str, keep: int = 2, *, every_steps: int = 0, every_seconds: float = 0
    ) -> None:
        if keep < 1:
            raise ValueError(f"keep: {keep}; at least one checkpoint has to stay")
        self.folder = folder / key
        self.stopping = False
        self._keep = keep
        self._every_steps = every_steps
        self._every_seconds = every_seconds
        self._lock: int | None = None
        self._before: Any = None
        self._mark(0)

    def __enter__(self) -> "Checkpoints":
        self.hold()
        self.clean()
        self.install()
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
            self._before = None
        self.release()

    def hold(self) -> None:
        """Take the lock of the key; wait while a living process has it, and say which. Twice is once.

        Raises:
            UserError: the folder cannot be made or locked.
        """
        waited = False
        while self._lock is None:
            try:
                self._lock = keyed_folders.try_lock(self.folder)
            except OSError as error:
                raise UserError(
                    f"{self.folder}: {error.strerror}; checkpoints need a folder that can be written and locked"
                ) from None
            if self._lock is None:
                if not waited:
                    other = keyed_folders.holder(self.folder)
                    say(f"another run (process {other}) works on the same inputs; waiting until it ends")
                waited = True
                time.sleep(POLL)

    def release(self) -> None:
        """Give the lock back; the checkpoints stay."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def save(self, step: int, tensors: Mapping[str, "torch.Tensor"], state: dict[str, Any]) -> bool:
        """Write a checkpoint, then remove all but the newest ``keep``; a crash at any moment leaves a whole one.

        Args:
            step: optimizer steps done. One saved again counts as newer; those of later steps are removed.
            tensors: dense tensors on any device; those that share memory are written once for each name.
            state: what is equal after JSON: no tuples, no keys but strings, no NaN.

        Returns:
            False where the disk refused; it was said in one line, and the older checkpoints are as they were.

        Raises:
            ValueError: a tensor or a state that cannot be written so that it comes back as it is.
        """
        self.hold()
        again = max((_order(path)[1] for path in self._whole() if _order(path)[0] == step), default=-1) + 1
        target = self.folder / (f"step-{step:08d}" + (f"-{again}" if again else ""))
        try:
            write_checkpoint(target, tensors, {"state": state, "step": step})
        except OSError as error:
            say(f"checkpoint skipped: step {step}: {self._refusal(error, bytes_of(tensors))}; the run goes on")
            return False
        finally:
            self._mark(step)
        stay = [path for path in self._whole() if _order(path)[0] <= step][: self._keep]
        for path in self._whole():
            if path not in stay:
                discard(path)
        return True

    def load(self) -> tuple[int, dict[str, "torch.Tensor"], dict[str, Any]] | None:
        """Step, tensors (in memory of the processor) and state of the newest checkpoint that is whole, or None.

        One that does not fit its checksums is named, removed, and the one before is taken. Half-written ones go.
        """
        self.hold()
        for part in self.folder.glob(f"*{PART}"):
            shutil.rmtree(part, ignore_errors=True)
        left = self._whole()
        while left:
            path = left.pop(0)
            problem = damage(path)
            if problem is None:
                tensors, found = read_checkpoint(path)
                self._mark(found["step"])
                return found["step"], tensors, found["state"]
            instead = f"{left[0].name} is tried" if left else "the run starts anew"
            say(f"checkpoint {path.name} is damaged ({problem}) and removed; {instead}")
            discard(path)
        return None

    def due(self, step: int) -> bool:
        """Whether to save after ``step``: so many steps or seconds went by since the last save, or SIGTERM came."""
        return (
            self.stopping
            or 0 < self._every_steps <= step - self._last_step
            or 0 < self._every_seconds <= time.monotonic() - self._last_time
        )

    def install(self) -> None:
        """From now on SIGTERM sets ``stopping``, and a second one ends the process at once. In the main thread only."""
        if self._before is None:
            self._before = signal.signal(signal.SIGTERM, self._told) or signal.SIG_DFL

    def leave_if_told(self) -> None:
        """Leave the process if SIGTERM came; to be called after a save.

        Raises:
            SystemExit: 143, which is what a shell reports of a process that SIGTERM ended.
        """
        if self.stopping:
            say(f"ended by SIGTERM after step {self._last_step}; the same command goes on from the last checkpoint")
            raise SystemExit(ENDED_BY_SIGTERM)

    def done(self) -> None:
        """The run succeeded: remove its checkpoints and give the lock back."""
        self.hold()
        with suppress(OSError):  # what stays is removed by age; the run has succeeded all the same
            keyed_folders.remove(self.folder)
        self.release()

    def clean(
        self, keep_keys: Iterable[str] = (), older_than_days: float = DAYS, limit_bytes: float = BYTES
    ) -> list[str]:
        """Remove checkpoints of other inputs by the rule at the top of this file; return their keys.

        Args:
            keep_keys: keys that stay besides this one.
            older_than_days: since something was last written for a key.
            limit_bytes: of all keys together, this one counted.
        """
        spared = {self.folder.name, *keep_keys}
        return keyed_folders.clean(self.folder.parent, spared, days=older_than_days, limit=limit_bytes)

    def _whole(self) -> list[Path]:
        """Complete checkpoints, the newest first."""
        return sorted((path for path in self.folder.iterdir() if STEP.fullmatch(path.name)), key=_order, reverse=True)

    def _mark(self, step: int) -> None:
        self._last_step, self._last_time = step, time.monotonic()

    def _told(self, _number: int, _frame: FrameType | None) -> None:
        if self.stopping:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)
        self.stopping = True
        with suppress(OSError):  # not say(): the signal may have come while a line was being written
            os.write(2, b"SIGTERM: saves after this step, then leaves; a second SIGTERM ends it at once\n")

    def _refusal(self, error: OSError, need: int) -> str:
        """Why the disk refused ``need`` bytes, and the remedy."""
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            return f"{error.strerror}; look at {self.folder}"
        lacking = need - shutil.disk_usage(self.folder).free
        if lacking <= 0:
            lacking = need  # a quota, or others have freed space meanwhile
        return f"{error.strerror}; free {-(-lacking // 1_000_000)} MB or move the project to a larger disk"


def _order(path: Path) -> tuple[int, int]:
    """Step and how often it had been saved before."""
    match = STEP.fullmatch(path.name)
    return (int(match[1]), int(match[2] or 0)) if match else (-1, 0)
