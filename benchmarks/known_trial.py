"""How long `hone try` takes for a trial whose result is known: the whole process, in a clone with recorded trials.

Nothing is trained: the trials are commits with metrics and the key of their params, as hone records them. The bound is
0.1 seconds, Python's own start within. The clone has what a clone has after its first command: Python's bytecode, and
hone's notes on params.yaml. The code that is measured is that of the folder this is called in, committed or not.
"""

import argparse
import cProfile
import os
import pstats
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
RATES = [1e-4 * (1 + number / 1000) for number in range(1000)]


def record(trials: int) -> None:
    """Make-believe trials of the project in the current folder, each with another learning rate."""
    from flows.trials.experiment import message, name_it
    from flows.trials.git import git
    from flows.trials.known import Inputs
    from flows.trials.snapshot import identity, take
    from flows.trials.trial import Trial

    versions = {name: version(name) for name in ("torch", "transformers", "tokenizers", "numpy", "accelerate")}
    cost = {"seconds": 60.0, "files": {"finetune": {"versions": versions}}}  # as a trial that ran has it
    snapshot = take()
    inputs = Inputs.of(snapshot)
    metrics = {split: f"data/metrics.{split}.json" for split in ("validation", "test")}
    for number, rate in enumerate(RATES[:trials]):
        trial = Trial(f"known-{number}", {"finetune.learning_rate": rate}, "try", "try", "made up")
        facts = {"key": inputs.key(trial.overrides), "metrics": metrics, "cost": cost}
        commit = git(
            "commit-tree", snapshot.tree, "-p", snapshot.base, stdin=message(trial, facts),
            also=identity(("story", "story@example.org")),
        )  # fmt: skip
        name_it(Path(), snapshot.base, trial.name, commit)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=100, help="that are recorded, 1,000 at most")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--profile", action="store_true", help="show what one answer spends its time on")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        subprocess.run(["git", "clone", "-q", str(ROOT), place], check=True)
        python(folder, "-c", f"from benchmarks.known_trial import record; record({options.trials})")
        subprocess.run(["git", "status"], cwd=folder, check=True, capture_output=True)
        first = ask(folder, RATES[0])
        rates = [RATES[number % options.trials] for number in range(options.repeats)]
        show("python", [python(folder, "-c", "pass") for _ in rates])
        show("hone try", [ask(folder, rate) for rate in rates])
        with (folder / "README.md").open("a") as file:  # no stage reads it: the same trials, another tree
            file.write("changed and not committed\n")
        ask(folder, RATES[0])
        show("with uncommitted changes", [ask(folder, rate) for rate in rates])
        sys.stdout.write(f"the first of all {first:.3f} s\n")
        if options.profile:
            profile(folder)


def show(name: str, found: list[float]) -> None:
    """Median, shortest and longest of some seconds."""
    sys.stdout.write(f"{name:<25} median {median(found):.3f} s ({min(found):.3f} to {max(found):.3f})\n")


def ask(folder: Path, rate: float) -> float:
    """Seconds of one `hone try`."""
    started = time.perf_counter()
    command = [sys.executable, "-P", "-m", "hone", "try", "asked", "-S", f"finetune.learning_rate={rate!r}"]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - started
    if "  known  " not in done.stdout:
        raise RuntimeError(f"the trial was not known: {done.stdout}")
    return seconds


def python(folder: Path, *arguments: str) -> float:
    """Seconds of one program in Python."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-P", *arguments], cwd=folder, env=environment(), check=True)
    return time.perf_counter() - started


def profile(folder: Path) -> None:
    """The functions in which an answer spends most, its imports left out."""
    from hone.try_ import try_

    here = Path.cwd()
    os.chdir(folder)
    measured = cProfile.Profile()
    changes = [f"finetune.learning_rate={RATES[0]!r}"]
    measured.runcall(try_, "asked", changes, None, None, "threads", None, None)
    os.chdir(here)
    pstats.Stats(measured, stream=sys.stdout).sort_stats("cumulative").print_stats(40)


def environment() -> dict[str, str]:
    """For programs in the clone."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": str(ROOT)}


if __name__ == "__main__":
    main()
