"""One model sharpened over several iterations, with the real output of each command, for docs/loop.md.

Works in a clone of this repository in `--folder`, so that nothing here changes. Each step is a command whose output is
kept there; a step that has one is not run again, so the story goes on where it was interrupted. The sweep is killed
once in its middle. `--write docs/loop.md` fills the page; `--trials`, `--seeds` and `-S finetune.epochs=1` make the
story shorter. On two cores with nothing else to do it takes about an hour.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.marked import put
from flows.trials.overrides import rewritten
from hone import settings

ROOT = Path(__file__).resolve().parents[1]
PROGRESS = re.compile(r" *(fine-tune: |\d+ of \d+ done, |\S+  started  log )")
INTO_NEXT = 10  # seconds from the end of the last trial that counts to the kill, in the middle of the next one


@dataclass(frozen=True)
class Step:
    """A command of hone; ``name`` is the mark of the page that gets its output. After ``until`` trials it is killed."""

    name: str
    arguments: tuple[str, ...]
    until: int = 0

    @property
    def command(self) -> str:
        """As a person types it."""
        return " ".join(["hone", *(f'"{word}"' if " " in word else word for word in self.arguments)])


def steps(trials: int, seeds: int) -> list[Step]:
    """The story."""
    return [
        Step("run", ("run", "--engine", "local")),
        Step("try", ("try", "rare names need a calmer start", "--expect", "+0.5", "-S", "finetune.warmup_ratio=0.2")),
        Step("repeat", ("repeat", "--seeds", str(seeds))),
        Step("ablate", ("ablate", "--seeds", str(seeds))),
        Step("curve", ("curve", "--seeds", str(seeds))),
        Step("sweep-killed", ("sweep", "--trials", str(trials)), until=trials // 3),
        Step("sweep", ("sweep", "--trials", str(trials))),
        Step("adopt", ("adopt", "WINNER")),
        Step("after", ("run", "--engine", "local")),
        Step("ledger", ("ledger", "--last", "8")),
        Step("lessons", ("ledger", "--lessons")),
    ]


def tell(project: Path, outputs: Path, story: list[Step], call: Callable[[Path, Step], str]) -> dict[str, str]:
    """Run the steps that have no output yet; all outputs by name."""
    told: dict[str, str] = {}
    for step in story:
        kept = outputs / f"{step.name}.txt"
        if not kept.exists():
            ready = Step(
                step.name, tuple(winner(told) if word == "WINNER" else word for word in step.arguments), step.until
            )
            output = call(project, ready)
            kept.write_text(f"$ {ready.command}\n{output.rstrip()}\n", encoding="utf-8")
        told[step.name] = kept.read_text(encoding="utf-8")
    return told


def winner(told: dict[str, str]) -> str:
    """The trial that the sweep recommends.

    Raises:
        ValueError: it recommends none.
    """
    found = re.search(r"hone adopt (\S+)", told["sweep"])
    if found is None:
        raise ValueError("the sweep names no winner")
    return found[1]


def fill(page: str, told: dict[str, str]) -> str:
    """The page with each output between ``<!-- NAME -->`` and ``<!-- end -->``, without the lines that say how far."""
    for name, output in told.items():
        lines = [line for line in output.splitlines() if not PROGRESS.match(line)]
        page = put(page, name, "\n".join(lines))
    return page


def run(project: Path, step: Step) -> str:
    """The output of a step; of one with ``until`` that up to its end by SIGKILL."""
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "hone", *step.arguments], cwd=project, env=environment(), stdin=subprocess.DEVNULL,
            stdout=said, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        if step.until:
            while process.poll() is None and recorded(project, "sweep-") < step.until:
                time.sleep(1)
            with suppress(subprocess.TimeoutExpired):
                process.wait(INTO_NEXT)
            if process.poll() is not None:
                said.seek(0)
                sys.exit(f"error: {step.command} ended before it was killed (more --trials?): {said.read()[-2000:]}")
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        said.seek(0)
        output = said.read() + ("Killed\n" if step.until else "")
    if process.returncode and not step.until:
        sys.exit(f"error: {step.command}: {output[-2000:]}")
    if step.name in ("run", "after"):
        commit(project, "The reference" if step.name == "run" else "The winner of the search")
    return output


def recorded(project: Path, prefix: str) -> int:
    """Trials in Git whose name begins so."""
    command = ["git", "for-each-ref", "--format=%(refname)", "refs/exps"]
    names = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True).stdout.split()
    return sum(name.rsplit("/", 1)[1].startswith(prefix) for name in names)


def commit(project: Path, subject: str) -> None:
    """Commit what a run left, if anything."""
    subprocess.run(["git", "add", "-A"], cwd=project, check=True)
    if subprocess.run(["git", "diff", "--cached", "--quiet"], cwd=project).returncode:
        subprocess.run(["git", "commit", "-qm", subject], cwd=project, env=environment(), check=True)


def environment() -> dict[str, str]:
    """For programs in the clone."""
    who = {f"GIT_{who}_{what}": "story@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return {**os.environ, **who, "HONE_PYTHON": sys.executable, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="of the clone and the outputs; kept")
    parser.add_argument("--trials", type=int, default=20, help="of the search")
    parser.add_argument("--seeds", type=int, default=3, help="of repeat, ablate and curve")
    parser.add_argument(
        "-S", dest="settings", action="append", default=[], metavar="KEY=VALUE", help="a value of params.yaml"
    )
    parser.add_argument("--write", type=Path, help="page whose marks get the outputs")
    options = parser.parse_args()
    project, outputs = options.folder.absolute() / "hone", options.folder.absolute() / "outputs"
    if not project.exists():
        subprocess.run(["git", "clone", "-q", str(ROOT), str(project)], check=True)
        params = project / "params.yaml"
        text = rewritten(params.read_text(encoding="utf-8"), settings.parse(options.settings))
        params.write_text(text, encoding="utf-8")
    outputs.mkdir(parents=True, exist_ok=True)
    told = tell(project, outputs, steps(options.trials, options.seeds), run)
    if options.write:
        options.write.write_text(fill(options.write.read_text(encoding="utf-8"), told), encoding="utf-8")


if __name__ == "__main__":
    main()
