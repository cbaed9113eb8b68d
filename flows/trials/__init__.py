"""Trials: the pipeline run many times side by side, each in a Git worktree of its own, each a DVC experiment.

run_trials(trials)   runs them and answers with their outcomes
list_trials()        those that are recorded
"""

from typing import TYPE_CHECKING, Any

from flows.trials.recorded import list_trials
from flows.trials.trial import Kind, On, Outcome, Recorded, State, Trial

if TYPE_CHECKING:
    from flows.trials.fan_out import run_trials

__all__ = ["Kind", "On", "Outcome", "Recorded", "State", "Trial", "list_trials", "run_trials"]


def __getattr__(name: str) -> Any:
    """Load what runs trials only where some are run: a known trial is answered in less time than that takes."""
    if name == "run_trials":
        from flows.trials.fan_out import run_trials

        return run_trials
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
