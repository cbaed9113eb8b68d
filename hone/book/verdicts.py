"""Verdicts between models by the hashes of their predictions on validation; remembered in a file that may be deleted.

Only DVC's cache on this machine is asked. Where it lacks predictions the verdict is unknown, and said to be.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

REMEMBERED = Path(".dvc/tmp/hone/ledger/verdicts.json")
FORM = 1  # of what is remembered; another one when verdicts are reached otherwise
Word = Literal["better", "worse", "no evidence", "too few data", "same", "other data", "unknown"]


@dataclass(frozen=True)
class Verdict:
    """The second against the first: ``same`` answers, ``other data`` of validation, or a word of paired tests."""

    word: Word
    difference: float | None = None
    low: float | None = None
    high: float | None = None


UNKNOWN = Verdict("unknown")


class Verdicts:
    """Verdicts of the task's headline.

    Args:
        task: name of the adapter.
        relevant, resamples: as in params.yaml, ``diff``.
    """

    def __init__(self, task: str, *, relevant: float, resamples: int) -> None:
        self._task = task
        self._relevant = relevant
        self._resamples = resamples
        self._known: dict[str, Any] = _remembered()
        self._new = 0
        self._counted = lru_cache(maxsize=256)(self._count)
        self.missing: set[str] = set()

    def between(self, before: Sequence[str | None], after: Sequence[str | None]) -> Verdict:
        """The verdict on ``after`` against ``before``: hashes of the predictions of one model each, or of its seeds."""
        if not before or not after or None in before or None in after:
            return UNKNOWN
        old, new = sorted(filter(None, before)), sorted(filter(None, after))
        if old == new:
            return Verdict("same", 0.0, 0.0, 0.0)
        asked = [FORM, self._task, self._relevant, self._resamples, old, new]
        key = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
        if key not in self._known:
            found = self._compare(old, new)
            if found is None:
                return UNKNOWN
            self._known[key] = [found.word, found.difference, found.low, found.high]
            self._new += 1
            if self._new % 50 == 0:
                self.save()
        return Verdict(*self._known[key])

    def save(self) -> None:
        """Write what was found."""
        if not self._new:
            return
        REMEMBERED.parent.mkdir(parents=True, exist_ok=True)
        part = REMEMBERED.with_suffix(".part")
        part.write_text(json.dumps(self._known), encoding="utf-8")
        part.replace(REMEMBERED)

    def _compare(self, old: list[str], new: list[str]) -> Verdict | None:
        from tasks.scoring.paired import compare

        sides = [[self._counted(md5) for md5 in side] for side in (old, new)]
        if any(one is None for side in sides for one in side):
            return None
        facts = [one for side in sides for one in side if one is not None]
        if len({gold for _, _, gold in facts}) > 1:
            return Verdict("other data")
        counts = [[one[0] for one in side if one is not None] for side in sides]
        found = compare(
            counts[0], counts[1], facts[0][1], self._figure(), relevant=self._relevant, resamples=self._resamples
        )
        numbers = (round(value, 6) for value in (found.difference, found.low, found.high))
        return Verdict(found.verdict, *numbers)

    def _count(self, md5: str) -> tuple[Any, Any, str] | None:
        """Counts, documents and a mark of the gold of some predictions; None where the cache lacks them."""
        from tasks.records import read_predictions
        from tasks.scoring.intervals import group_ids

        path = self._cache / md5[:2] / md5[2:]
        if not path.is_file():
            self.missing.add(md5)
            return None
        predictions = list(read_predictions(path))
        gold = json.dumps([[one.id, one.gold] for one in predictions])
        mark = hashlib.sha256(gold.encode()).hexdigest()
        return self._scorer().HEADLINE.counts(predictions), group_ids(predictions), mark

    def _figure(self) -> Any:
        return self._scorer().HEADLINE.figure

    def _scorer(self) -> Any:
        from tasks import adapters

        return import_module(f"tasks.scoring.{adapters.find(self._task).scorer}")

    @cached_property
    def _cache(self) -> Path:
        from flows.trials.disk import cache_folder

        return cache_folder()


def _remembered() -> dict[str, Any]:
    try:
        known = json.loads(REMEMBERED.read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
