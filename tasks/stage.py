"""How a stage runs: alone in its folder, ending with the process that started it, errors as one clear line."""

import argparse
import fcntl
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tasks.errors import UserError
from tasks.records import write_json

LOCKS = Path(".dvc/tmp/hone")
POLL = 0.5  # seconds between two looks at the processes that started us


def run_stage(name: str, work: Callable[[], dict[str, Any]], cost: Path) -> None:
    """Run ``work`` as stage ``name``; the process leaves with 1 after a UserError, which is shown as one line.

    Only one process at a time works on a stage: a second one waits for the lock, which the kernel frees on any death.

    Args:
        name: the stage's name in dvc.yaml.
        work: does it; returns facts of this run that belong into ``cost``.
        cost: JSON file that gets seconds, memory, versions and those facts: what differs from run to run and so must
            not stand in an out.
    """
    watch_starters()
    LOCKS.mkdir(parents=True, exist_ok=True)
    with (LOCKS / f"{name}.lock").open("a+") as lock:
        _acquire(lock.fileno(), lock.name, name)
        started = time.monotonic()
        settle()
        try:
            facts = work()
            write_json(cost, {**facts, **_cost(time.monotonic() - started)})
        except UserError as error:
            say(f"error: {error}")
            if not os.environ.get("HONE_STARTER"):  # the flow restores by itself
                say(
                    "the outs of this stage are gone; 'dvc checkout' brings the last ones back and "
                    "'git checkout -- data/*.json' the last metrics"
                )
            sys.exit(1)


def settle() -> None:
    """Take what is in memory now as there to stay: imported modules, a loaded model.

    Python's collector of cycles looks at all old objects again and again while many new ones are made; with torch and
    transformers in memory that is most of the time in which a corpus is read and tokenised.
    """
    gc.freeze()


def _cost(seconds: float) -> dict[str, Any]:
    import platform
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {
        "peak_memory_mb": round(peak / 2**20),
        "python": platform.python_version(),
        "seconds": round(seconds, 1),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Versions of the packages that decide numbers, as far as this process has loaded them."""
    from importlib.metadata import version

    loaded = [name for name in ("torch", "transformers", "tokenizers", "numpy", "accelerate") if name in sys.modules]
    return {name: version(name) for name in loaded}


def say(message: str) -> None:
    """One line to the person who watches, on stderr, at once; above a progress bar where one is drawn.

    A line that cannot be written ends nothing: when who watched was killed, the stage still has to save and to leave.
    """
    with suppress(OSError):
        if "tqdm" in sys.modules and sys.stderr.isatty():
            sys.modules["tqdm"].tqdm.write(message, file=sys.stderr)
            return
        sys.stderr.write(message + "\n")
        sys.stderr.flush()


def argument_parser(doc: str | None) -> argparse.ArgumentParser:
    """A parser for the paths that dvc.yaml hands to a stage, with the stage's docstring as help."""
    return argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)


def _acquire(descriptor: int, path: str, name: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 32, 0).decode() or "unknown"
        say(f"{name}: another run (process {holder}) works on this stage; waiting until it ends ({path})")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)


def watch_starters() -> None:
    """End this process soon after one of those that started it is gone, however that one died.

    Watched are the parent, the parent's parent where the parent is a shell that only passes a command on, and the
    processes in the environment variable HONE_STARTER (``pid`` or ``pid:pid``, set by who wants it).
    """
    import psutil

    starters = []
    try:
        parent = psutil.Process(os.getppid())
        starters.append(parent)
        if parent.name() in ("sh", "bash", "dash", "zsh") and "-c" in parent.cmdline():
            above = parent.parent()
            if above is not None:
                starters.append(above)
        starters += [psutil.Process(int(pid)) for pid in os.environ.get("HONE_STARTER", "").split(":") if pid]
    except psutil.NoSuchProcess:
        os.kill(os.getpid(), signal.SIGTERM)
        return

    def watch() -> None:
        while all(alive(starter) for starter in starters):
            time.sleep(POLL)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
        os._exit(143)

    def alive(process: psutil.Process) -> bool:
        try:
            return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False

    threading.Thread(target=watch, name="watch starters", daemon=True).start()
