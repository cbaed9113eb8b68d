"""Searches over a toy space with a runner that computes figures instead of training."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from flows.search import Found, driver, search, storage
from flows.trials import Outcome, Trial
from tasks.errors import UserError
from tasks.params import Choices, Range, Sweep
from tasks.scoring.goal import Figure

TRAIN = {"rate": 0.01, "layers": 2, "head": "linear", "files": ["a"], "deep": True}
VALUES: dict[str, Any] = {"seed": 1, "train": TRAIN}
SPACE = [
    Range(param="train.rate", low=0.001, high=1.0, scale="log"),
    Range(param="train.layers", low=1, high=6, scale="linear"),
    Choices(param="train.head", choices=["linear", "mlp"]),
]


def check(overrides: Any) -> None:
    if overrides.get("train.layers") == 5 and overrides.get("train.head") == "mlp":
        raise UserError("five layers and mlp make no sense")


def figure(overrides: Any) -> float:
    """Best at layers 4 and mlp."""
    layers = overrides.get("train.layers", 2)
    return 0.5 + 0.1 * (overrides.get("train.head") == "mlp") - 0.02 * abs(layers - 4)


@dataclass
class Lab:
    """A project without a pipeline: what ran, and when the runner shall be killed."""

    ran: list[Trial] = field(default_factory=list)
    die_at: int = -1
    fail: Callable[[Trial], bool] = lambda _: False
    epochs: int = 0
    pruned: list[str] = field(default_factory=list)
    seconds: float = 1.0
    verdict: str = "ran"

    def run_trials(self, trials: Any, *, on_outcome: Any, on_epoch: Any, on_tick: Any, **_: Any) -> list[Outcome]:
        outcomes = []
        for trial in trials:
            if len(self.ran) == self.die_at:
                self.die_at = -1
                raise KeyboardInterrupt
            self.ran.append(trial)
            outcome = self._outcome(trial, on_epoch)
            on_tick([])
            on_outcome(outcome)
            outcomes.append(outcome)
        return outcomes

    def _outcome(self, trial: Trial, on_epoch: Any) -> Outcome:
        log = Path(f"{trial.name}.log")
        if self.fail(trial):
            return Outcome(trial, "failed", None, {}, {}, log, "no luck; try again")
        value = figure(trial.overrides)
        for epoch in range(1, self.epochs + 1):
            if on_epoch(trial, epoch, value * epoch / self.epochs):
                self.pruned.append(trial.name)
                return Outcome(trial, "pruned", None, {}, {}, log)
        cost = {"seconds": self.seconds, "stages": {"finetune": {"verdict": self.verdict}}}
        return Outcome(trial, "ran", "0" * 40, {"validation": {"f": value}}, cost, log, name=trial.name)

    def search(self, **changes: Any) -> Found:
        """A search of 12 trials in the current folder."""
        goal = changes.pop("goal", None)
        budget = changes.pop("budget_hours", 0.0)
        checked = changes.pop("check", check)
        values = {
            "space": SPACE, "trials": 12, "hours": 0.0, "random_share": 0.25, "pruner": "none", "prune_after": 1,
            "confirm_seeds": 0, "storage": "",
        }  # fmt: skip
        return search(
            Sweep(**{**values, **changes}),
            VALUES,
            target="f",
            judge=lambda one: Figure("f", value := one.metrics["validation"]["f"], value - 0.05, value + 0.05),
            check=checked,
            goal=goal,
            budget_hours=budget,
            on="local",
            address=None,
            git_remote=None,
        )


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """The runner replaced, in a folder of its own."""

    class Inputs:
        @classmethod
        def of(cls, snapshot: Any) -> "Inputs":
            return cls()

        def key(self, overrides: Any) -> str:
            return "key"

    lab = Lab()
    monkeypatch.chdir(tmp_path)
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=memory if os.access(memory, os.W_OK) else tmp_path))  # a disk is slow
    monkeypatch.setattr(storage, "FILE", folder / "sweeps.sqlite")
    monkeypatch.setattr(driver, "run_trials", lab.run_trials)
    monkeypatch.setattr(driver, "Inputs", Inputs)
    monkeypatch.setattr(driver, "take", lambda: None)
    monkeypatch.setattr(driver, "list_trials", list)
    yield lab
    shutil.rmtree(folder)
