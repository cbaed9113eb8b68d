"""`hone curve`: the figure with growing parts of train, and what more data would likely bring."""

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from flows.trials import On
from hone import settings as given
from hone.loop.chart import Chart, Point
from hone.loop.outs import outs
from hone.loop.page import Page, Section, terminal, write
from hone.loop.power_law import Floats, Forecast, forecasts, resampled_means
from hone.loop.seeds import over_seeds
from hone.loop.target import Target
from hone.run import signals
from hone.trial_view import run_shown, say, short
from tasks import adapters
from tasks.errors import UserError
from tasks.params import Params

PAGES = Path("data/loop")
KEY = "finetune.train_share"
AHEAD = (1.5, 2.0, 4.0)  # times all of train
RESAMPLES = 2000
LEAST = 4  # shares with a figure: three numbers are fitted


def curve(settings: Params, seeds: int, on: On, address: str | None, git_remote: str | None, as_json: bool) -> int:
    """Train on growing parts of train, fit, write and show the page; 1 if a trial failed.

    Raises:
        UserError: too few shares came to an end, or predictions are lost.
    """
    shares = settings.curve.shares
    systems = {f"share-{share:g}": {KEY: share} for share in shares}
    for changes in systems.values():
        given.check(changes)
    run = partial(run_shown, metric=given.headline(), on=on, address=address, git_remote=git_remote, quiet=as_json)
    with signals(), outs() as store:
        target = Target(adapters.name_of(settings.task, settings.options), settings.goal, store)
        outcomes = over_seeds(systems, kind="curve", group="curve", first=settings.seed, seeds=seeds, run=run)
        counted = {
            share: [found for one in outcomes[name] if (found := target.counts(one.rev or "")) is not None]
            for share, name in zip(shares, systems, strict=True)
        }
    there = [share for share in shares if counted[share]]
    if len(there) < LEAST:
        raise UserError(f"{len(there)} of {len(shares)} shares have a figure, and a curve needs {LEAST}; run it again")
    groups = counted[there[0]][0][1]
    if not all(np.array_equal(other, groups) for share in there for _, other in counted[share]):
        raise UserError(
            "the trials have different validation data, so they make no curve; name files in splits.validation, for "
            "what is cut from train depends on the seed"
        )
    observed, resampled = resampled_means(
        [[counts for counts, _ in counted[share]] for share in there],
        groups,
        target.measure.figure,
        resamples=RESAMPLES,
    )
    at = np.array(there)
    measured = dict(zip(there, observed.tolist(), strict=True))
    points = forecasts(at, observed, resampled, [*there, *(share for share in AHEAD if share > max(there))])
    page = page_of(measured, points, _line(at, observed, resampled), target.name, seeds)
    path = write(page, PAGES, "curve")
    if as_json:
        say(json.dumps({"measured": measured, "forecasts": [asdict(one) for one in points]}, indent=2))
    else:
        say("")
        say(terminal(page))
        say("")
        say(f"page  {short(path.absolute())}")
    return int(any(len(side) < seeds for side in outcomes.values()))


def page_of(
    measured: dict[float, float], points: list[Forecast], line: list[Forecast], target: str, seeds: int
) -> Page:
    """The page of a learning curve."""
    rows = [
        [
            f"{one.share:g}",
            f"{measured[one.share]:.4f}" if one.share in measured else "",
            f"{one.figure:.4f}",
            f"{one.low:.4f} to {one.high:.4f}",
            "" if one.share <= 1 else f"{one.gain:+.4f} ({one.gain_low:+.4f} to {one.gain_high:+.4f})",
        ]
        for one in points
    ]
    chart = Chart(
        "learning curve",
        "share of train (1 is all of it)",
        target,
        [Point(share, figure, kind="best", title=f"{share:g}: {figure:.4f}") for share, figure in measured.items()],
        [(one.share, one.figure) for one in line],
        [(one.share, one.low, one.high) for one in line],
        log=True,
        ticks=[(one.share, f"{one.share:g}") for one in points],
    )
    text = [
        f"{target} on validation, the mean of {seeds} seed{'s' if seeds > 1 else ''}, with growing parts of train; an "
        "inverse power law through it, with 95 % intervals from resampled documents and seeds."
    ]
    head = ["share", "measured", "fitted", "95 % interval", "gain over all of train"]
    return Page("Learning curve", [Section("", text, head, rows, [chart]), Section("More data", _said(points, target))])


def _said(points: list[Forecast], target: str) -> list[str]:
    """What twice the data would bring, and how far that can be believed."""
    twice = next((one for one in points if one.share == 2), None)
    if twice is None:
        return []
    sure = f"{twice.gain:+.4f}, 95 % interval {twice.gain_low:+.4f} to {twice.gain_high:+.4f}"
    if twice.gain_low > 0.005:
        said = f"Twice the data of this kind would likely raise {target}: {sure}."
    elif twice.gain_high < 0.01:
        said = f"Twice the data of this kind would hardly change {target}: {sure}."
    else:
        said = f"Whether twice the data of this kind would raise {target} is not clear: {sure}."
    return [said, "The interval holds the doubt of these trials, and not that of the law itself beyond the data."]


def _line(at: Floats, observed: Floats, resampled: Floats) -> list[Forecast]:
    places = np.geomspace(float(at.min()), max(AHEAD), 40).tolist()
    return forecasts(at, observed, resampled, places)
