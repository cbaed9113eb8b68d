"""The winner of a search against the params of the workspace, each with several fresh seeds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flows.trials import Outcome, Trial
from hone.loop.compared import compared
from hone.loop.target import Target
from hone.loop.wording import verdict
from tasks.scoring.paired import Comparison

Run = Callable[[list[Trial]], list[Outcome]]


@dataclass(frozen=True)
class Confirmed:
    """The comparison over seeds, if both sides have finished trials, and its sentences."""

    comparison: Comparison | None
    text: list[str]


def confirm(
    target: Target,
    winner: str,
    overrides: Mapping[str, Any],
    current: Mapping[str, Any],
    *,
    group: str,
    seed: int,
    seeds: int,
    run: Run,
    relevant: float,
    resamples: int,
) -> Confirmed:
    """Run both with the ``seeds`` seeds after ``seed`` and compare them.

    The seed of the search itself is left out: the winner was chosen by its luck with that one.

    Args:
        winner: name of the best trial.
        overrides: its params.
        current: the same keys as they are in params.yaml.
        group: of the trials.
        run: runs trials.
    """
    if dict(overrides) == dict(current):
        return Confirmed(None, ["Nothing that was tried is better than the params here, on validation and this seed."])
    if not seeds:
        return Confirmed(None, ["Not asked (sweep.confirm_seeds: 0). The best of many is better by luck too."])
    fresh = range(seed + 1, seed + 1 + seeds)
    sides = {"current": {}, winner.removeprefix(f"{group}-"): dict(overrides)}
    trials = [
        Trial(f"{group}-{name}-seed-{one}", {**changes, "seed": one}, "sweep", group)
        for one in fresh
        for name, changes in sides.items()
    ]
    outcomes = run(trials)
    before, after = outcomes[0::2], outcomes[1::2]
    found = compared(target, before, after, relevant=relevant, resamples=resamples)
    if found is None:
        return Confirmed(None, ["Not known: no trial of one side came to an end."])
    seen = f"seeds {', '.join(map(str, fresh))}, none of which" if seeds > 1 else f"seed {fresh[0]}, which"
    said = (
        f"{verdict(found)} {target.name} {found.after:.4f} against {found.before:.4f} of the params here, with the "
        f"{seen} the search has{'' if seeds > 1 else ' not'} seen."
    )
    alone = "One model on either side: this is about these two, not about other seeds (sweep.confirm_seeds)."
    return Confirmed(found, [said] if seeds > 1 else [said, alone])
