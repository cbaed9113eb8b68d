"""Trials: the pipeline run many times side by side, each in a Git worktree of its own, each a DVC experiment.

run_trials(trials)   runs them and answers with their outcomes
list_trials()        those that are recorded
"""

from flows.trials.fan_out import run_trials
from flows.trials.recorded import list_trials
from flows.trials.trial import Kind, On, Outcome, Recorded, State, Trial

__all__ = ["Kind", "On", "Outcome", "Recorded", "State", "Trial", "list_trials", "run_trials"]
