"""One attempt at a trial from the side of who waits for it: a place on this machine, a runner, its answer.

The same function is called by a thread of the fan-out, a Dask worker and a Ray worker.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from flows.trials import elsewhere
from flows.trials.far_epochs import Board, told
from flows.trials.guard import MARK, free
from flows.trials.job import Answer, Job
from flows.trials.place import TRIALS, log_file, trial_folder
from flows.trials.slots import Slot, lent
from flows.trials.worktree import mark_of
from tasks.errors import UserError

CODE = Path(__file__).resolve().parents[2]
EPOCHS = "HONE_EPOCHS"  # environment variable: file to which training appends a line of JSON per epoch
PATIENCE = 15.0  # seconds for a runner that was told to end
_live: set[subprocess.Popen[bytes]] = set()
_guard = threading.Lock()
_stopping = threading.Event()


class Interrupted(Exception):
    """The fan-out ends before this trial began."""


def attempt(values: dict[str, Any], board: Board | None = None) -> dict[str, Any]:
    """Run the trial of a Job (as plain values) on this machine; the Answer as plain values. Never raises UserError.

    ``board`` is where the epochs go if the project's folder is not on this machine.
    """
    job = Job.read(values)
    trial = job.named
    try:
        with elsewhere.project_of(job) as (root, here):
            fan_out = root / TRIALS / job.fan_out if here else None
            log = log_file(root, trial.group, trial.name)

            def waiting() -> None:
                if _stopping.is_set() or (fan_out is not None and free(fan_out)):
                    raise Interrupted

            far = told(board, job, *hooks(root, job)) if board and job.watched and not here else nullcontext()
            with lent(job.threads, job.gpu, waiting) as slot, far:
                answer = _runner(job, root, fan_out, log, slot)
            if not here and answer.state in ("ran", "known"):
                elsewhere.give(job, root, answer)
            answer.log, answer.host = str(log), "" if here else socket.gethostname()
            return answer.plain()
    except UserError as error:
        return Answer("failed", error=str(error), host=socket.gethostname()).plain()
    except Interrupted:
        return Answer("failed", error="stopped").plain()


def stop() -> None:
    """End all runners of this process and start no more; returns when they have left."""
    _stopping.set()
    with _guard:
        live = list(_live)
    for process in live:
        with suppress(ProcessLookupError):
            process.terminate()
    for process in live:
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)


def restart() -> None:
    """Allow runners again after ``stop``."""
    _stopping.clear()


def hooks(root: Path, job: Job) -> tuple[Path, Path]:
    """The files through which a running trial tells its epochs and is told to end, beside its folder."""
    folder = trial_folder(root, job.key)
    return folder.with_name(f"@{folder.name}.epochs"), folder.with_name(f"@{folder.name}.prune")


def _runner(job: Job, root: Path, fan_out: Path | None, log: Path, slot: Slot) -> Answer:
    """Start the runner in a session of its own and wait for it, in this thread: the kernel ties the two by threads."""
    log.parent.mkdir(parents=True, exist_ok=True)
    epochs, prune = hooks(root, job)
    epochs.parent.mkdir(parents=True, exist_ok=True)
    for file in (epochs, prune):
        file.unlink(missing_ok=True)
    shell = {"SHELL": "/bin/bash"} if Path("/bin/bash").exists() else {}  # it execs a simple command, dash does not
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("DVC_EXP_")},
        **shell,
        MARK: mark_of(root, trial_folder(root, job.key)),
        EPOCHS: str(epochs),
        "HONE_PYTHON": os.environ.get("HONE_PYTHON") or sys.executable,
        "HONE_STARTER": "",
        "PYTHONUNBUFFERED": "1",
        "CUDA_VISIBLE_DEVICES": slot.gpu or "",
    }
    with tempfile.TemporaryDirectory(prefix="hone-trial-") as folder, log.open("ab") as out:
        task = {
            "job": job.plain(),
            "root": str(root),
            "fan_out": str(fan_out) if fan_out else "",
            "prune": str(prune),
            "log": str(log),
            "answer": str(Path(folder) / "answer.json"),
            "cores": list(slot.cores),
            "parent": os.getpid(),
        }
        described = Path(folder) / "task.json"
        described.write_text(json.dumps(task), encoding="utf-8")
        code = f"import sys; sys.path.insert(0, {str(CODE)!r}); from flows.trials.runner import main; main(sys.argv[1])"
        with _guard:
            if _stopping.is_set():
                raise Interrupted
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", code, str(described)],
                cwd=root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=slot.descriptors,  # cores and GPU are free when the runner is gone, whatever becomes of us
            )
            _live.add(process)
        try:
            process.wait()
        finally:
            with _guard:
                _live.discard(process)
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # what outlived a runner that was killed
            for file in (epochs, prune):
                file.unlink(missing_ok=True)
        written = Path(folder) / "answer.json"
        if written.exists():
            return Answer(**json.loads(written.read_text(encoding="utf-8")))
        ending = signal.Signals(-process.returncode).name if process.returncode < 0 else f"exit {process.returncode}"
        memory = ", as the system does when memory runs out" if process.returncode == -signal.SIGKILL else ""
        return Answer("failed", error=f"its runner was ended by {ending}{memory}; run it again")
