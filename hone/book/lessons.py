"""What was learned of each param: which changes helped, which did not, which were never certain.

All seeds of a trial count together, against all seeds of what it was tried on; a commit counts against the one before.
A change of more than MOST params at once teaches nothing of any of them and is only counted.
"""

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from hone.book.iterations import Iteration
from hone.book.rows import differences
from hone.book.verdicts import Verdict, Verdicts
from hone.loop.page import value_text

MOST = 3
CODE = "code"
Group = Literal["helped", "did not help", "never certain"]
GROUPS: dict[str, Group] = {"better": "helped", "worse": "did not help", "no evidence": "did not help"}


@dataclass(frozen=True)
class Lesson:
    """One change and what came of it.

    Attributes:
        params: keys that changed, ``code`` or paths of data among them.
        change: old and new values.
        seeds: models before and after.
        names: of what it rests on, at most three.
    """

    group: Group
    params: tuple[str, ...]
    change: str
    verdict: Verdict
    seeds: tuple[int, int]
    names: tuple[str, ...]
    reason: str


def lessons(iterations: Sequence[Iteration], verdicts: Verdicts) -> tuple[list[Lesson], int]:
    """The lessons, sorted by group and param, and how many changes were too large to teach one."""
    by_rev = {one.rev: one for one in iterations if not one.name}
    tried: dict[tuple[str, str], list[Iteration]] = {}
    for one in iterations:
        if one.name and one.base in by_rev:
            tried.setdefault((one.base, _but_seed(one)), []).append(one)
    found, large = [], 0
    pairs: list[tuple[list[Iteration], list[Iteration]]] = []
    for (base, mark), group in tried.items():
        origin = by_rev[base]
        if mark != _but_seed(origin):
            pairs.append(([origin, *tried.get((base, _but_seed(origin)), [])], group))
    commits = [one for one in iterations if not one.name]
    pairs += [([before], [after]) for before, after in itertools.pairwise(commits)]
    for before, after in pairs:
        changed, data, code = differences(before[0], after[0])
        changed = {key: pair for key, pair in changed.items() if key != "seed"}
        keys = (*changed, *data, *([CODE] if code else []))
        if not keys:
            continue
        if len(keys) > MOST:
            large += 1
            continue
        verdict = verdicts.between(*(_unlike(side) for side in (before, after)))
        if verdict.word in ("same", "other data"):
            continue
        several = len(keys) > 1
        said = [
            f"{key.rpartition('.')[2] + ' ' if several else ''}{value_text(old)} -> {value_text(new)}"
            for key, (old, new) in changed.items()
        ]
        said += ["other data"] * len(data) + ([f"code, {code} files" if several else f"{code} files"] if code else [])
        found.append(
            Lesson(
                group=GROUPS.get(verdict.word, "never certain"),
                params=keys,
                change="; ".join(said),
                verdict=verdict,
                seeds=(len(_unlike(before)), len(_unlike(after))),
                names=tuple(one.label for one in after[:3]),
                reason=next((one.hypothesis for one in after if one.hypothesis), ""),
            )
        )
    verdicts.save()
    order = list(dict.fromkeys([*GROUPS.values(), "never certain"]))
    found.sort(key=lambda one: (order.index(one.group), one.params, -(one.verdict.difference or 0.0), one.change))
    return found, large


def _unlike(side: Iterable[Iteration]) -> list[str | None]:
    """Each model once: the same predictions recorded twice are one."""
    return list(dict.fromkeys(one.predictions.get("validation") for one in side))


def _but_seed(one: Iteration) -> str:
    """The same for iterations that differ in nothing but the seed."""
    params = {key: value for key, value in one.params.items() if key != "seed"}
    return json.dumps([params, dict(one.data), dict(one.code)], sort_keys=True, default=str)
