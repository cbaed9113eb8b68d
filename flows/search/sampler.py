"""Which points of the space are tried: TPE, with a share of random ones that keep it from one corner."""

import hashlib
import math
from collections.abc import Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

LOST = "lost"  # mark of a trial whose driver died; its point was queued again
FIRST = 10  # random trials that TPE is given to start from, at most


class Mixed(BaseSampler):
    """Draws trial after trial at random or by the tree-structured Parzen estimator (Bergstra et al. 2011).

    Each trial has a generator of its own, seeded by the search's seed and the trial's place, in which trials of dead
    drivers do not count. So a search that was killed goes on with the points that it would have had, as long as one
    trial runs at a time.

    Args:
        seed: of the search.
        share: of random trials among all, 0 to 1.
        trials: that the search is meant to have.
    """

    def __init__(self, seed: int, share: float, trials: int) -> None:
        self._seed = seed
        self._share = share
        self._first = min(FIRST, math.ceil(share * trials))
        self._now: BaseSampler = RandomSampler()

    def random(self, place: int) -> bool:
        """Whether the trial at that place (from 0) is a random one: the first few, then evenly spread."""
        return self._due(place + 1) > self._due(place)

    def place(self, study: Study, number: int) -> int:
        """The place of the trial of that number."""
        trials = study.get_trials(deepcopy=False)
        return number - sum(LOST in one.user_attrs for one in trials if one.number < number)

    def _due(self, trials: int) -> int:
        """Random ones among the first ``trials``."""
        return max(min(trials, self._first), math.floor(trials * self._share + 1e-9))

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Choose and seed the sampler of this trial."""
        place = self.place(study, trial.number)
        seed = int.from_bytes(hashlib.sha256(f"{self._seed} {place}".encode()).digest()[:4], "big")
        # With fewer points than it wants for a start TPE would draw at random itself.
        self._now = RandomSampler(seed) if self.random(place) else TPESampler(seed=seed, n_startup_trials=2)
        self._now.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """As Optuna asks."""
        return self._now.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As Optuna asks."""
        return self._now.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """As Optuna asks."""
        return self._now.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """As Optuna asks."""
        self._now.after_trial(study, trial, state, values)
