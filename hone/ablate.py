"""`hone ablate`: each choice turned off by itself, over seeds, ranked by what it is worth."""

import json
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from flows.trials import On
from flows.trials.overrides import leaves, same
from hone import settings as given
from hone.loop.compared import compared
from hone.loop.outs import outs
from hone.loop.page import Page, Section, terminal, value_text, write
from hone.loop.seeds import over_seeds
from hone.loop.target import Target
from hone.loop.wording import span
from hone.run import signals
from hone.trial_view import run_shown, say, short
from hone.try_ import slug
from tasks import adapters
from tasks.errors import UserError
from tasks.params import Choice, Params
from tasks.scoring.paired import Comparison, holm
from tasks.yaml_files import read_yaml

PARAMS = Path("params.yaml")
PAGES = Path("data/loop")
WHOLE = "all"


@dataclass(frozen=True)
class Without:
    """A choice and what the figure does without it; ``comparison`` is None where no trial came to an end."""

    param: str
    value: Any
    off: Any
    comparison: Comparison | None

    @property
    def worth(self) -> float:
        """What the choice adds to the figure."""
        return 0.0 if self.comparison is None else -self.comparison.difference


def ablate(settings: Params, seeds: int, on: On, address: str | None, git_remote: str | None, as_json: bool) -> int:
    """Run the params here and each choice turned off, compare, write and show the page; 1 if a trial failed."""
    values = leaves(read_yaml(PARAMS))
    chosen, idle = choices(settings.ablate.choices, values)
    whole: dict[str, dict[str, Any]] = {WHOLE: {}}
    systems = whole | {slug({one.param: one.off}): {one.param: one.off} for one in chosen}
    run = partial(run_shown, metric=given.headline(), on=on, address=address, git_remote=git_remote, quiet=as_json)
    with signals(), outs() as store:
        target = Target(adapters.name_of(settings.task, settings.options), settings.goal, store)
        outcomes = over_seeds(systems, kind="ablate", group="ablate", first=settings.seed, seeds=seeds, run=run)
        relevant, resamples = settings.diff.relevant, settings.diff.resamples
        found = {
            one.param: compared(
                target,
                outcomes[WHOLE],
                outcomes[slug({one.param: one.off})],
                relevant=relevant,
                resamples=resamples,
            )
            for one in chosen
        }
    known = holm({param: one for param, one in found.items() if one is not None}, relevant)
    ranked = [Without(one.param, values[one.param], one.off, known.get(one.param)) for one in chosen]
    ranked.sort(key=lambda one: (one.comparison is None, -one.worth, one.param))
    page = page_of(ranked, idle, target.name, seeds)
    path = write(page, PAGES, "ablate")
    if as_json:
        say(json.dumps([plain(one) for one in ranked], indent=2))
    else:
        say("")
        say(terminal(page))
        say("")
        say(f"page  {short(path.absolute())}")
    return int(any(len(side) < seeds for side in outcomes.values()))


def plain(one: Without) -> dict[str, Any]:
    """As JSON takes it; the comparison is that of the params without the choice against those with it."""
    found = one.comparison
    return {
        **asdict(one),
        "worth": one.worth,
        "comparison": found and {**asdict(found), "difference": found.difference},
    }


def choices(block: list[Choice], values: dict[str, Any]) -> tuple[list[Choice], list[str]]:
    """The choices that are on, and the keys of those that are off already.

    Raises:
        UserError: an unknown key, a value that it may not have, or nothing that is on.
    """
    on, idle = [], []
    for number, one in enumerate(block):
        try:
            given.check({one.param: one.off})
        except UserError as error:
            raise UserError(f"params.yaml: ablate.choices[{number}]: {one.param}: {one.off!r}: {error}") from None
        if same(values[one.param], one.off) or values[one.param] == one.off:
            idle.append(one.param)
        else:
            on.append(one)
    if not on:
        raise UserError("params.yaml: ablate.choices: all of them are off already; there is nothing to turn off")
    return on, idle


def page_of(ranked: list[Without], idle: list[str], target: str, seeds: int) -> Page:
    """The page of an ablation."""
    blocks = {one.param.partition(".")[0] for one in ranked}
    (block,) = blocks if len(blocks) == 1 else ("",)  # where all are of one block its name stands in the heading alone
    rows = [
        [
            one.param.removeprefix(f"{block}."),
            value_text(one.value),
            value_text(one.off),
            _worth(one.comparison),
            _verdict(one.comparison),
        ]
        for one in ranked
    ]
    text = [
        f"What each choice adds to {target} on validation, with 95 % intervals, over "
        f"{seeds} seed{'s' if seeds > 1 else ''} with and without it; verdicts are adjusted for their number (Holm)."
    ]
    sections = [Section("", text, [block or "param", "now", "off", "is worth", "verdict"], rows)]
    if idle:
        sections.append(Section("", [f"Off already: {', '.join(idle)}."]))
    helps = [one.param for one in ranked if one.comparison is not None and one.comparison.verdict == "better"]
    if helps:
        sections.append(Section("", [f"Better without: {', '.join(helps)}. 'hone try' it."]))
    return Page("Ablation", sections)


def _worth(one: Comparison | None) -> str:
    return "unknown" if one is None else span(turned(one))


def turned(one: Comparison) -> Comparison:
    """The comparison seen from the other side: what is lost without a choice is what it adds."""
    return replace(one, before=one.after, after=one.before, low=0.0 - one.high, high=0.0 - one.low)


def _verdict(one: Comparison | None) -> str:
    words = {"worse": "helps", "better": "harms"}
    return "" if one is None else words.get(one.verdict, one.verdict)
