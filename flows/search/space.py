"""The space of a search: keys of params.yaml and what each may be, checked before anything runs."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from flows.trials.overrides import leaves
from tasks.errors import UserError
from tasks.params import Choices, Range

Check = Callable[[Mapping[str, Any]], None]  # raises UserError for overrides that params.yaml would be refused with
SCALARS = (bool, int, float, str)


class Space:
    """Distributions by key, and the way from what Optuna draws to values of params.yaml.

    Args:
        dimensions: the block ``sweep.space``.
        values: all of params.yaml.
        check: how a value is checked; each end and each choice is, by itself.

    Raises:
        UserError: an unknown key, one given twice, a range without extent, or a value that the key may not have.
    """

    def __init__(self, dimensions: Sequence[Range | Choices], values: Mapping[str, Any], check: Check) -> None:
        self.current: dict[str, Any] = {}
        self.distributions: dict[str, BaseDistribution] = {}
        self._choices: dict[str, dict[Any, Any]] = {}
        self._ends: dict[str, tuple[float, float]] = {}
        known = leaves(values)
        for number, dimension in enumerate(dimensions):
            key, place = dimension.param, f"params.yaml: sweep.space[{number}]"
            if key in self.distributions:
                raise UserError(f"{place}: {key} stands there twice; leave one out")
            for value in dimension.choices if isinstance(dimension, Choices) else (dimension.low, dimension.high):
                try:
                    check({key: value})
                except UserError as error:
                    raise UserError(f"{place}: {key}: {value!r} cannot be tried ({error})") from None
            self.current[key] = known[key]
            if isinstance(dimension, Choices):
                self._choices[key] = {_label(choice): choice for choice in dimension.choices}
                if len(self._choices[key]) < len(dimension.choices):
                    raise UserError(f"{place}: {key}: a choice stands there twice; leave one out")
                self.distributions[key] = CategoricalDistribution(list(self._choices[key]))
            else:
                self.distributions[key] = _range(dimension, known[key], place)
                self._ends[key] = dimension.low, dimension.high

    def overrides(self, drawn: Mapping[str, Any]) -> dict[str, Any]:
        """The values that params.yaml gets for what Optuna drew."""
        return {key: self._choices[key][value] if key in self._choices else value for key, value in drawn.items()}

    def start(self) -> dict[str, Any] | None:
        """The current params as a point of the space; None if they lie outside."""
        drawn = {key: _label(value) if key in self._choices else value for key, value in self.current.items()}
        inside = all(
            value in self._choices[key] if key in self._choices else self._ends[key][0] <= value <= self._ends[key][1]
            for key, value in drawn.items()
        )
        return drawn if inside else None

    def anchor(self) -> dict[str, Any]:
        """Fixed values for every key, so that whatever params.yaml says now of them makes the search no other one."""
        return {
            key: next(iter(self._choices[key].values())) if key in self._choices else self._ends[key][0]
            for key in self.distributions
        }

    def described(self) -> list[Any]:
        """Plain values that are equal for equal spaces only."""
        return [[key, repr(distribution)] for key, distribution in sorted(self.distributions.items())]


def _range(dimension: Range, value: Any, place: str) -> BaseDistribution:
    low, high, log = dimension.low, dimension.high, dimension.scale == "log"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"{place}: {dimension.param} holds no number but {value!r}; write choices: [...] for it")
    if low >= high:
        raise UserError(f"{place}: {dimension.param}: low: {low} is not below high: {high}")
    if log and low <= 0:
        raise UserError(f"{place}: {dimension.param}: a log scale begins above 0; raise low: {low}, or scale: linear")
    if isinstance(value, int):
        if not isinstance(low, int) or not isinstance(high, int):
            raise UserError(f"{place}: {dimension.param} holds whole numbers; write low and high without a point")
        return IntDistribution(low, high, log=log)
    return FloatDistribution(float(low), float(high), log=log)


def _label(choice: Any) -> Any:
    """A choice as Optuna stores it, which takes no lists."""
    return choice if choice is None or isinstance(choice, SCALARS) else json.dumps(choice, sort_keys=True)
