"""DVC as a process: what is unchanged, one stage run through it, its last results put back. Nothing else calls dvc."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from flows import torn_lock
from flows.dag import Stage
from flows.rwlock import drop_dead
from tasks.errors import UserError
from tasks.yaml_files import read_yaml

DVC = [sys.executable, "-P", "-m", "dvc"]  # -P: a folder of the project named like a package must not shadow it
LOCK = Path("dvc.lock")
GRACE = 5.0  # seconds between SIGTERM and SIGKILL
QUIET = 0.5  # seconds of silence after which we look whether DVC still lives
BUSY = ("is busy, it is being blocked by", "Unable to acquire lock", "database is locked")
DELAYS = (2, 5, 10)  # seconds before another try when DVC is busy

OnLine = Callable[[str, bool], None]  # text, and whether it is progress that the next line replaces


class Verdict(StrEnum):
    """What became of a stage, as people read it."""

    RAN = "ran"
    RESTORED = "restored from the run-cache"
    UNCHANGED = "cached, unchanged"


class StageFailed(UserError):
    """A stage that ended with an error of its own; another try would end the same."""


class StageKilled(StageFailed):
    """A stage, or its DVC, that a signal ended; another try may go through."""


class Busy(Exception):
    """DVC could not start because another process holds its locks; another try may go through."""


@dataclass
class Heard:
    """What a run of DVC said so far; ``running`` while the stage's own command speaks."""

    stage: str
    verdict: Verdict | None = None
    started: bool = False
    running: bool = False
    errors: list[str] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)
    dvc: list[str] = field(default_factory=list)

    def line(self, text: str) -> bool:
        """Take in one line; True when it is the stage's own and not DVC's."""
        said, error, rest = text.partition("ERROR: failed to reproduce '")
        if error and said.strip():  # the stage ended in the middle of a line
            return self.line(said) | self.line(error + rest)
        plain = text.strip()
        if plain == f"Running stage '{self.stage}':":
            self.verdict, self.started = Verdict.RAN, True
        elif plain.startswith(f"Stage '{self.stage}' is cached - skipping run"):
            self.verdict = Verdict.RESTORED
        elif plain == f"Stage '{self.stage}' didn't change, skipping":
            self.verdict = Verdict.UNCHANGED
        elif self.started and plain.startswith("> ") and not self.running:
            self.running = True
        elif self.running and re.match(
            r"(Updating|Generating) lock file 'dvc|Use `dvc push` to send|ERROR: failed to reproduce '"
            r"|WARNING: '.+' is empty\.$",  # of DVC, as when nothing is suspect
            plain,
        ):
            self.running = False
        elif self.running:
            if match := re.match(r"error: (.+)", plain):
                self.errors.append(match[1])
            self.tail = [*self.tail[-4:], plain] if plain else self.tail
            return True
        if plain:
            self.dvc.append(plain)
        return False

    def problem(self, code: int) -> str:
        """Why DVC ended with ``code``: the stage's own last ``error:`` line, else DVC's, else the last words."""
        if code < 0:
            return f"dvc was ended by {signal.Signals(-code).name}; run it again"
        if self.errors:
            return self.errors[-1]
        if self.started:
            last = f": {self.tail[-1]}" if self.tail else ""
            return f"its command {_ending(self._left())}{last}"
        said = " ".join(self.dvc)
        said = said[said.rfind("ERROR:") :].removeprefix("ERROR:").strip() if "ERROR:" in said else said
        return said.removeprefix(f"failed to reproduce '{self.stage}':").strip() or f"dvc ended with {code}"

    def killed(self, code: int) -> bool:
        """Whether a signal ended DVC, or the stage's command before it said what was wrong."""
        return code < 0 or (self.started and not self.errors and _signal(self._left()) is not None)

    def _left(self) -> int:
        """The exit code of the stage's command, as DVC tells it."""
        exited = re.search(r"exited with (-?\d+)", " ".join(self.dvc))
        return int(exited[1]) if exited else 1


def _signal(code: int) -> int | None:
    """The signal behind an exit code: negative, or above 128 (the shell's way to say it)."""
    number = -code if code < 0 else code - 128
    return number if number in {*signal.valid_signals()} else None


def _ending(code: int) -> str:
    """How a command ended that left ``code``."""
    number = _signal(code)
    if number is None:
        return f"failed with exit code {code}"
    memory = ", as the system does when memory runs out" if number == signal.SIGKILL else ""
    return f"was ended by {signal.Signals(number).name}{memory}"


def clean(ordered: list[Stage]) -> bool:
    """Whether DVC finds all these stages and their sources unchanged; False too when it cannot tell (0.6 s)."""
    if not LOCK.exists():
        return False
    asked = subprocess.run([*DVC, "status", "--json"], capture_output=True, stdin=subprocess.DEVNULL, check=False)
    try:
        changed = set(json.loads(asked.stdout)) if asked.returncode == 0 else None
    except ValueError:
        return False
    ours = {name for stage in ordered for name in (stage.name, *stage.sources)}
    return changed is not None and not (changed & ours)


def reproduce(stage: Stage, on_line: OnLine, *, force: bool = False) -> Verdict:
    """Bring one stage up to date with ``dvc repro --single-item``, after the ``.dvc`` files it reads from.

    DVC and all it starts form a process group that never outlives this call: on any exception, also KeyboardInterrupt
    and a signal's, the group is ended first. If the stage does not finish, its last outs and metrics are put back.

    Raises:
        StageFailed: the stage ended with an error; the message is its own.
        Busy: another process holds DVC's locks.
    """
    _refuse_missing(stage)
    drop_dead()
    torn_lock.mend()
    torn_lock.keep()
    before = LOCK.read_bytes() if LOCK.exists() else b""
    kept = _uncached(stage)
    heard = Heard(stage.name)
    command = [*DVC, "--wait-for-lock", "repro", "--single-item", *(["--force"] if force else [])]
    try:
        if force and stage.sources:  # forced is the stage alone
            _stream([*DVC, "--wait-for-lock", "repro", "--single-item", *stage.sources], heard, on_line)
            code = _stream([*command, stage.name], heard, on_line)
        else:
            code = _stream([*command, *stage.sources, stage.name], heard, on_line)
    except BaseException:
        if heard.started:
            on_line(_put_back(stage, kept), False)
        raise
    if code != 0:
        said = " ".join(heard.dvc)
        if not heard.started and any(sign in said for sign in BUSY):
            raise Busy(heard.problem(code))
        if heard.started:
            on_line(_put_back(stage, kept), False)
        raise (StageKilled if heard.killed(code) else StageFailed)(f"{stage.name}: {heard.problem(code)}")
    after = LOCK.read_bytes() if LOCK.exists() else b""
    return heard.verdict or (Verdict.RAN if after != before else Verdict.UNCHANGED)


def _refuse_missing(stage: Stage) -> None:
    for dep in stage.deps:
        if "://" in dep or Path(dep).exists():
            continue
        remedy = f"'git checkout -- {dep}' brings it back if Git has it, 'hone import' brings a dataset"
        if stage.sources:
            remedy = f"'dvc checkout {stage.sources[0]}' or 'dvc pull {stage.sources[0]}' brings it"
        raise StageFailed(f"{stage.name}: {dep}: no such file or folder; {remedy}")


def _stream(command: list[str], heard: Heard, on_line: OnLine) -> int:
    """Run ``command`` in a session of its own, hand on its lines as they come, and leave nothing of it running."""
    starters = [*filter(None, [os.environ.get("HONE_STARTER")]), str(os.getpid())]
    environment = {
        **os.environ,
        "HONE_STARTER": ":".join(starters),  # the stage ends itself when we are gone, however we went
        "HONE_PYTHON": os.environ.get("HONE_PYTHON") or sys.executable,
        "PYTHONUNBUFFERED": "1",
    }
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env=environment,
    )
    try:
        _listen(process, heard, on_line)
        return process.wait()
    except BaseException:
        _end(process)
        raise
    finally:
        _kill(process)  # what outlived a dvc that was killed
        if process.stdout:
            process.stdout.close()
        process.wait()


def _listen(process: subprocess.Popen[bytes], heard: Heard, on_line: OnLine) -> None:
    """Hand on what DVC and the stage write, until they close their end or DVC is gone and all is silent."""
    pipe = process.stdout.fileno() if process.stdout else -1
    rest = b""
    while True:
        if not select.select([pipe], [], [], QUIET)[0]:
            if process.poll() is not None:
                break
            continue
        chunk = os.read(pipe, 65536)
        if not chunk:
            break
        *parts, rest = re.split(rb"(\r\n|\n|\r)", rest + chunk)
        for text, end in zip(parts[::2], parts[1::2], strict=True):
            _hand_on(text, end == b"\r", heard, on_line)
    _hand_on(rest, False, heard, on_line)


def _hand_on(raw: bytes, progress: bool, heard: Heard, on_line: OnLine) -> None:
    text = raw.decode("utf-8", errors="replace")
    if progress:
        if heard.running and text.strip():
            on_line(text, True)
    elif heard.line(text):
        on_line(text, False)


def _end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM to the group, up to GRACE seconds of patience, SIGKILL."""
    try:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        while time.monotonic() < deadline and (process.poll() is None or _living(process.pid)):
            time.sleep(0.05)
    finally:
        _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _living(group: int) -> bool:
    import psutil

    for process in psutil.process_iter(["pid", "status"]):
        with suppress(ProcessLookupError, PermissionError):
            if os.getpgid(process.pid) == group and process.info["status"] != psutil.STATUS_ZOMBIE:
                return True
    return False


def _uncached(stage: Stage) -> dict[Path, bytes]:
    """The bytes of the outs that DVC has no copy of."""
    paths = [path for out in stage.uncached for path in (Path(out), *Path(out).rglob("*"))]
    return {path: path.read_bytes() for path in paths if path.is_file()}


def _put_back(stage: Stage, kept: dict[Path, bytes]) -> str:
    """Bring back what the stage had left before; one line that says so."""
    for path, content in kept.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    torn_lock.mend()
    pipeline, _, name = stage.name.rpartition(":")  # of another dvc.yaml, as DVC writes it
    lock = Path(pipeline).with_suffix(".lock") if pipeline else LOCK
    entry = (read_yaml(lock).get("stages") or {}).get(name) if lock.exists() else None
    outs = [out["path"] for out in (entry or {}).get("outs") or [] if out["path"] in stage.outs]
    if not outs and not kept:
        return f"{stage.name}: there was no earlier result to put back"
    if outs:
        done = subprocess.run(
            [*DVC, "--wait-for-lock", "checkout", "--force", "--quiet", *outs],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            start_new_session=True,
            check=False,
        )
        if done.returncode != 0:
            return f"{stage.name}: its last outs are not in DVC's cache; 'dvc pull' may bring {', '.join(outs)} back"
    return f"{stage.name}: its last results are back ({', '.join([*outs, *map(str, kept)])})"
