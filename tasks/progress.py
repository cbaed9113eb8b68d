"""How far a loop is and how long it will still take: a bar on a terminal, a plain line now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tasks.stage import say

Item = TypeVar("Item")
FIRST, EVERY = 2.0, 10.0  # seconds until the first plain line, and between two of them


def progress(
    iterable: Iterable[Item], total: int | None, what: str, position: Callable[[Item], int] | None = None
) -> Iterator[Item]:
    """Yield from ``iterable`` and show on stderr how far it is. Work under two seconds shows nothing off a terminal.

    Args:
        iterable: the work.
        total: where it ends; None where that is unknown, then only the number done is shown.
        what: a few words to say what goes on.
        position: how far an item is on the way to ``total``, where they do not count one each.
    """
    if sys.stderr.isatty():
        yield from _bar(iterable, total, what, position)
        return
    started = time.monotonic()
    due = started + FIRST
    for done, item in enumerate(iterable):
        now = time.monotonic()
        if now >= due:
            due = now + EVERY
            say(line(what, done if position is None else position(item), total, now - started))
        yield item


def line(what: str, done: int, total: int | None, seconds: float) -> str:
    """The plain line: share, time left (the pace so far goes on) and pace."""
    if not total:
        return f"{what}: {done:,} done, {seconds:.0f} s"
    if not done:
        return f"{what}: 0 % (0 of {total:,})"
    left = seconds * (total - done) / done
    hours, minutes = divmod(round(left) // 60, 60)
    clock = f"{hours}:{minutes:02}:{round(left) % 60:02}" if hours else f"{minutes}:{round(left) % 60:02}"
    return f"{what}: {100 * done / total:.0f} % ({done:,} of {total:,}), {clock} left"


def _bar(
    iterable: Iterable[Item], total: int | None, what: str, position: Callable[[Item], int] | None
) -> Iterator[Item]:
    from tqdm import tqdm

    with tqdm(total=total, desc=what, delay=0.5, leave=False, file=sys.stderr, dynamic_ncols=True) as bar:
        for item in iterable:
            yield item
            bar.update(1 if position is None else position(item) - bar.n)
