"""The figure that the loop goes by: the goal's, else the task's headline; with its interval, and as counts to compare.

Always on validation: test has no part in any choice.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.trials import Outcome
from hone.loop.outs import Outs
from tasks import adapters
from tasks.errors import UserError
from tasks.params import Goal
from tasks.records import Example, Prediction
from tasks.scoring import goal as goals
from tasks.scoring.goal import Figure
from tasks.scoring.intervals import group_ids, limits, resample
from tasks.scoring.measures import Measure

Counts = NDArray[np.float64]


class Target:
    """What is judged: ``name`` is that of the figure.

    Args:
        task: the adapter's name.
        goal: the block of params.yaml; one without a value chooses the figure all the same.
        outs: where predictions come from.

    Raises:
        UserError: a metric that has no counts, so that models cannot be compared by it.
    """

    def __init__(self, task: str, goal: Goal, outs: Outs) -> None:
        self._scorer = import_module(f"tasks.scoring.{adapters.find(task).scorer}")
        self._goal = goal
        self._outs = outs
        self.measure: Measure = self._scorer.HEADLINE
        self._type = ""
        if goal.metric not in (goals.HEADLINE, self.measure.name):
            self._type = goal.metric.removeprefix("per_type.").removesuffix(".f1")
            if goal.metric != f"per_type.{self._type}.f1" or not hasattr(self._scorer, "type_counts"):
                raise UserError(
                    f"params.yaml: goal.metric: {goal.metric}: models cannot be compared by it; take headline, "
                    "per_type.TYPE.f1 of one type, or headline with a goal.slice"
                )
        self.name = self.measure.name if goal.metric == goals.HEADLINE else goal.metric
        if goal.slice:
            self.name = f"{self.measure.name} of {goal.slice}"

    def judge(self, outcome: Outcome) -> Figure | None:
        """The figure of a trial, from its metrics file or, where that lacks it, from its predictions."""
        metrics = outcome.metrics.get("validation", {})
        if not self._goal.slice and (figure := self._stated(metrics)) is not None:
            return figure
        counted = self.counts(outcome.rev) if outcome.rev else None
        if counted is None:
            return None
        counts, groups = counted
        low, high = limits(self.measure.figure(resample(counts, groups)))
        return Figure(self.name, float(self.measure.figure(counts.sum(axis=0))), float(low), float(high))

    def counts(self, rev: str) -> tuple[Counts, NDArray[np.int64]] | None:
        """Counts (n, K) of validation at a revision and the number of each item's document; None if they are lost."""
        predictions = self._outs.predictions(rev)
        if predictions is None:
            return None
        groups = group_ids(predictions)
        if self._type:
            table = self._scorer.type_counts(predictions)
            if self._type not in table:
                raise UserError(f"params.yaml: goal.metric: validation has no type {self._type}")
            return table[self._type], groups
        if not self._goal.slice:
            return self.measure.counts(predictions), groups
        examples, train = (self._outs.examples(rev, split) for split in ("validation", "train"))
        if examples is None or train is None:
            return None
        return self._of_slice(predictions, list(examples), list(train)), groups

    def _stated(self, metrics: dict[str, Any]) -> Figure | None:
        """From the metrics file, if it has the interval too."""
        figure = goals.figure(self._goal, metrics, None, self.measure.name)
        return figure if figure is not None and figure.low is not None else None

    def _of_slice(
        self, predictions: Sequence[Prediction], examples: Sequence[Example], train: Sequence[Example]
    ) -> Counts:
        analysis = self._scorer.ANALYSIS
        cases = analysis.cases(predictions)
        facts = analysis.facts(train, examples, cases)
        counts = np.zeros((len(predictions), self.measure.counts([]).shape[1]))
        found = False
        for case in cases:
            names = {"type": case.type, **analysis.slices(case, examples[case.item], facts)}
            if self._goal.slice in (f"{dimension}: {name}" for dimension, name in names.items()):
                counts[case.item] += case.counts
                found = True
        if not found:
            raise UserError(f"params.yaml: goal.slice: {self._goal.slice!r}: validation has none; see 'hone focus'")
        return counts
