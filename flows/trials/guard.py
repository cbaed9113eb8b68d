"""A runner never outlives the fan-out that wants its trial, however that one ends, and leaves no process behind.

Three strings tie it: the kernel's signal at the parent's death (Linux), a lock that the fan-out holds all its life and
that the runner tries again and again (also from a worker of a cluster on the same file system), and a mark in the
environment by which the next start finds what both missed.
"""

import ctypes
import fcntl
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

GRACE = 5.0  # seconds between SIGTERM and SIGKILL for what the runner started
POLL = 0.25  # seconds between two looks at fan-out and wish to prune
MARK = "HONE_TRIAL_MARK"  # environment variable: <project>:<key of the trial>
PR_SET_PDEATHSIG = 1


class Stopped(BaseException):
    """The runner was told to end; ``pruned`` if because its trial is not worth more epochs."""

    def __init__(self, pruned: bool) -> None:
        super().__init__("pruned" if pruned else "stopped")
        self.pruned = pruned


class Guard:
    """Watches over this process, the leader of a session of its own.

    Args:
        parent: process that started this one.
        fan_out: lock file that the fan-out holds; None where it is on another file system.
        prune: file whose appearance says that the trial shall end.
    """

    def __init__(self, parent: int, fan_out: Path | None, prune: Path) -> None:
        self._parent = parent
        self._fan_out = fan_out
        self._prune = prune
        self._pruned = False
        self._main = threading.main_thread().ident or 0

    def start(self) -> None:
        """From now on SIGTERM, SIGINT, the parent's death and the fan-out's end raise Stopped in the main thread."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if sys.platform == "linux":
            ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != self._parent:
            os.kill(os.getpid(), signal.SIGTERM)
        threading.Thread(target=self._watch, name="watch fan-out", daemon=True).start()

    def _stop(self, *_: object) -> None:
        deaf()
        end_children()
        raise Stopped(self._pruned)

    def _watch(self) -> None:
        while True:
            time.sleep(POLL)
            self._pruned = self._prune.exists()
            if self._pruned or os.getppid() != self._parent or (self._fan_out and free(self._fan_out)):
                with suppress(ProcessLookupError):
                    signal.pthread_kill(self._main, signal.SIGTERM)
                time.sleep(4 * GRACE)
                os._exit(143)


def deaf() -> None:
    """From now on this process takes no notice of SIGTERM and SIGINT: it only tidies up and leaves."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def free(lock: Path) -> bool:
    """Whether nobody holds the lock file, or it is gone."""
    try:
        descriptor = os.open(lock, os.O_RDWR)
    except OSError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def end_children() -> None:
    """SIGTERM to everything below this process, up to GRACE seconds of patience, SIGKILL."""
    import psutil

    family = psutil.Process().children(recursive=True)
    _end(family, signal.SIGTERM)
    _, left = psutil.wait_procs(family, timeout=GRACE)
    _end(left, signal.SIGKILL)


def end_orphans(mark: str) -> int:
    """SIGKILL what dead runners of a trial left: processes with its mark whose session has lost its leader.

    A runner leads a session of its own, so one that lives (and waits for its turn, or is about to leave) is spared.
    """
    import psutil

    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.status() == psutil.STATUS_ZOMBIE or process.environ().get(MARK) != mark:
                continue
            leader = os.getsid(process.pid)
            if not psutil.pid_exists(leader) or psutil.Process(leader).status() == psutil.STATUS_ZOMBIE:
                found.append(process)
    _end(found, signal.SIGKILL)
    psutil.wait_procs(found, timeout=GRACE)
    return len(found)


def wait_for(look: Callable[[], bool], patience: float) -> bool:
    """Whether ``look`` says yes within ``patience`` seconds."""
    deadline = time.monotonic() + patience
    while not look():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)
    return True


def _end(processes: list[Any], number: int) -> None:
    import psutil

    for process in processes:
        with suppress(psutil.Error, ProcessLookupError):
            process.send_signal(number)
