"""How long a trial takes whose result is known: `run_trials` in fresh processes, in a clone with some recorded trials.

Nothing is trained: the trials are commits with metrics and the key of their params, as hone records them. The bound is
0.1 seconds for the answer; loading the program comes before it and is told apart.
"""

import argparse
import cProfile
import os
import pstats
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
RATES = [1e-4 * (1 + number / 1000) for number in range(1000)]

ASK = """
import time
started = time.perf_counter()
from flows.trials import Trial, run_trials
loaded = time.perf_counter()
(one,) = run_trials([Trial("asked", {"finetune.learning_rate": %r}, "try", "try")])
print(loaded - started, time.perf_counter() - loaded, one.state)
"""


def record(trials: int) -> None:
    """Make-believe trials of the project in the current folder, each with another learning rate."""
    from flows.trials.experiment import message, name_it
    from flows.trials.git import git
    from flows.trials.known import Inputs
    from flows.trials.snapshot import identity, take
    from flows.trials.trial import Trial

    snapshot = take()
    inputs = Inputs.of(snapshot)
    metrics = {split: f"data/metrics.{split}.json" for split in ("validation", "test")}
    for number, rate in enumerate(RATES[:trials]):
        trial = Trial(f"known-{number}", {"finetune.learning_rate": rate}, "try", "try", "made up")
        facts = {"key": inputs.key(trial.overrides), "metrics": metrics, "cost": {"seconds": 60.0}}
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
        subprocess.run(["git", "clone", "-q", str(ROOT), place], check=True)
        step = [sys.executable, "-c", f"from benchmarks.known_trial import record; record({options.trials})"]
        subprocess.run(step, cwd=place, env=environment(), check=True)
        found = [ask(place, RATES[number % options.trials]) for number in range(options.repeats)]
        if options.profile:
            profile(place)
    for name, column in (("load", 0), ("answer", 1)):
        seconds = sorted(row[column] for row in found)
        sys.stdout.write(f"{name:<7} median {median(seconds):.3f} s ({seconds[0]:.3f} to {seconds[-1]:.3f})\n")


def ask(place: str, rate: float) -> tuple[float, float]:
    """Seconds of loading and of the answer, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", ASK % rate], cwd=place, env=environment(), capture_output=True, text=True, check=True
    )
    load, answer, state = done.stdout.split()
    if state != "known":
        raise RuntimeError(f"the trial was not known: {state}")
    return float(load), float(answer)


def profile(place: str) -> None:
    """The functions in which an answer spends most."""
    from flows.trials import Trial, run_trials

    here = Path.cwd()
    os.chdir(place)
    measured = cProfile.Profile()
    measured.runcall(run_trials, [Trial("asked", {"finetune.learning_rate": RATES[0]}, "try", "try")])
    os.chdir(here)
    pstats.Stats(measured, stream=sys.stdout).sort_stats("cumulative").print_stats(40)


def environment() -> dict[str, str]:
    """For programs in the clone."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


if __name__ == "__main__":
    main()
