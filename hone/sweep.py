"""`hone sweep`: a search over the space in params.yaml, and whether its winner is better than what is here."""

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from flows import server
from flows.search import Found, search
from flows.trials import On, Outcome, list_trials, run_trials
from flows.trials.overrides import leaves
from hone import settings as given
from hone.loop import sweep_page
from hone.loop.confirm import Confirmed, confirm
from hone.loop.corner import corners
from hone.loop.outs import outs
from hone.loop.page import terminal, write
from hone.loop.target import Target
from hone.run import signals
from hone.trial_view import TrialView, say, short, stoppable
from tasks import adapters
from tasks.params import Params, Sweep
from tasks.yaml_files import read_yaml

PARAMS = Path("params.yaml")
PAGES = Path("data/loop")


def sweep(
    settings: Params, block: Sweep, until_goal: bool, on: On, address: str | None, git_remote: str | None, as_json: bool
) -> int:
    """Search, confirm the winner, write and show the page; 1 if no trial came to an end.

    Args:
        settings: params.yaml.
        block: its block ``sweep`` with what the command line changes.
        until_goal: end when the interval of a trial clears the goal.
    """
    views: list[TrialView] = []

    def begun(number: int) -> None:
        views.append(TrialView(max(block.trials - number, 0), given.headline(), list_trials()))
        if number and not as_json:
            further = "the search goes on" if number < block.trials else "--trials adds more"
            say(f"{number} of {block.trials} trials are there already; {further}")

    told: dict[str, Any] = {}
    if not as_json:
        told = {"on_outcome": lambda one: views[-1].outcome(one), "on_tick": lambda all_: views[-1].tick(all_)}
        told["say"] = say
    goal = settings.goal.value if settings.goal.value and until_goal else None
    values = read_yaml(PARAMS)
    # Two temporary Prefect servers in one process: what is logged to the first may be lost in the second.
    again: On = "local" if on == "threads" and not server.configured() else on
    run = partial(run_trials, on=again, address=address, git_remote=git_remote, **told)
    with signals(), stoppable(lambda: views[-1].close() if views else None), outs() as store:
        target = Target(adapters.name_of(settings.task, settings.options), settings.goal, store)
        found = search(
            block,
            values,
            target=target.name,
            judge=target.judge,
            check=given.check,
            goal=goal,
            budget_hours=settings.goal.budget_hours,
            begun=begun,
            on=on,
            address=address,
            git_remote=git_remote,
            **told,
        )
        confirmed = _confirmed(found, target, values, settings, block, run, views)
    warnings = corners(block.space, found.rows, given.check)
    page = sweep_page.page(found, target.name, settings.goal, confirmed.text, warnings)
    path = write(page, PAGES, "sweep")
    if as_json:
        say(json.dumps(_plain(found, confirmed, warnings), indent=2, sort_keys=True))
    else:
        say("")
        say(terminal(page))
        say("")
        say(f"page       {short(path.absolute())}")
        if found.best is not None:
            say(f"try next   hone adopt {found.best.name}")
    return int(found.best is None)


def _confirmed(
    found: Found,
    target: Target,
    values: dict[str, Any],
    settings: Params,
    block: Sweep,
    run: Callable[..., list[Outcome]],
    views: list[TrialView],
) -> Confirmed:
    best = found.best
    for view in views:
        view.close()
    if best is None:
        return Confirmed(None, ["No trial came to an end."])
    views.append(TrialView(2 * block.confirm_seeds, given.headline(), list_trials()))
    here = leaves(values)
    confirmed = confirm(
        target,
        best.name,
        best.params,
        {key: here[key] for key in best.params},
        group=found.name,
        seed=settings.seed,
        seeds=block.confirm_seeds,
        run=run,
        relevant=settings.diff.relevant,
        resamples=settings.diff.resamples,
    )
    views[-1].close()
    return confirmed


def _plain(found: Found, confirmed: Confirmed, warnings: list[str]) -> dict[str, Any]:
    one = confirmed.comparison
    return {
        "name": found.name,
        "ended": found.why,
        "again": found.again,
        "best": None if found.best is None else found.best.name,
        "trials": [asdict(row) for row in found.rows],
        "importance": found.importance,
        "confirmed": one and {**asdict(one), "difference": one.difference},
        "verdict": confirmed.text,
        "corners": warnings,
    }
