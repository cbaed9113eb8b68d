"""`hone ledger`: every iteration that Git and DVC remember, and what was learned of each param."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from hone import settings as given
from hone.book import pages
from hone.book.iterations import iterations
from hone.book.lessons import lessons as learn
from hone.book.rows import rows
from hone.book.verdicts import Verdicts
from hone.loop.page import Page, Section, terminal, write
from hone.trial_view import say, short
from tasks import adapters
from tasks.errors import UserError
from tasks.params import Params

PAGES = Path("data/loop")


def ledger(settings: Params, lessons: bool, last: int, trials: bool, as_json: bool) -> int:
    """Write the page (or that of the lessons) and show the last iterations; 0.

    Args:
        lessons: group by param what helped, what did not and what was never certain.
        last: iterations that the terminal shows.
        trials: list trials too, not only commits.

    Raises:
        UserError: nothing with results is committed yet.
    """
    verdicts = Verdicts(
        adapters.name_of(settings.task, settings.options),
        relevant=settings.diff.relevant,
        resamples=settings.diff.resamples,
    )
    found = iterations(with_trials=trials or lessons)
    if not found:
        raise UserError("no commit with results yet; 'hone run', then commit dvc.lock and data/metrics.*.json")
    if lessons:
        learned, large = learn(found, verdicts)
        page, name = pages.lessons_page(learned, large), "lessons"
        if as_json:
            say(json.dumps([asdict(one) for one in learned], indent=2))
    else:
        headline = given.headline()
        listed = rows(found, headline, verdicts)
        goal = settings.goal.value if settings.goal.metric in ("headline", headline) and not settings.goal.slice else 0
        page, name = pages.page(listed, headline, goal or None, len(verdicts.missing)), "ledger"
        if as_json:
            say(json.dumps([pages.plain(row) for row in listed], indent=2, default=str))
    path = write(page, PAGES, name)
    if as_json:
        return 0
    if lessons:
        say(pages.lessons_terminal(learned, large))
        say("")
    else:
        say(pages.terminal(listed[-last:], len(listed)))
        say("")
        say(terminal(Page("", [Section("", pages.summary(listed, len(verdicts.missing)))])))
    sys.stdout.flush()
    say(f"page  {short(path.absolute())}")
    return 0
