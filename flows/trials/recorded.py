"""Which trials Git remembers."""

from pathlib import Path

from flows.trials.trial import Recorded


def list_trials(repo: Path = Path()) -> list[Recorded]:
    """Every DVC experiment of the repository with its facts, params and metrics, oldest first; Git alone is asked."""
    raise NotImplementedError
