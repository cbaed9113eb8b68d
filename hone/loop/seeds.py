"""Several systems, each a change of the params here, run over the same seeds."""

from collections.abc import Callable, Mapping
from typing import Any

from flows.trials import Outcome, Trial
from flows.trials.trial import Kind

Run = Callable[[list[Trial]], list[Outcome]]


def over_seeds(
    systems: Mapping[str, Mapping[str, Any]], *, kind: Kind, group: str, first: int, seeds: int, run: Run
) -> dict[str, list[Outcome]]:
    """The outcomes of each system, one per seed from ``first`` on, those that failed left out.

    Seed by seed, so that a first answer is there early; all trials go into one fan-out.

    Args:
        systems: overrides by name.
    """
    trials = [
        (name, Trial(f"{group}-{name}-seed-{seed}", {**changes, "seed": seed}, kind, group))
        for seed in range(first, first + seeds)
        for name, changes in systems.items()
    ]
    outcomes = run([trial for _, trial in trials])
    found: dict[str, list[Outcome]] = {name: [] for name in systems}
    for (name, _), outcome in zip(trials, outcomes, strict=True):
        if outcome.rev:
            found[name].append(outcome)
    return found
