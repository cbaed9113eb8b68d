"""The space is checked before anything runs, and leads back to values of params.yaml."""

from typing import Any

import pytest

from flows.search.space import Space
from tasks.errors import UserError
from tasks.params import Choices, Range

TRAIN = {"rate": 0.01, "layers": 2, "head": "linear", "files": ["a"], "deep": True}
VALUES: dict[str, Any] = {"seed": 1, "train": TRAIN}
SPACE = [
    Range(param="train.rate", low=0.001, high=1.0, scale="log"),
    Range(param="train.layers", low=1, high=6, scale="linear"),
    Choices(param="train.head", choices=["linear", "mlp"]),
]


def check(_: Any) -> None:
    """Everything may be tried."""


def test_numbers_are_drawn_as_the_key_holds_them() -> None:
    space = Space(SPACE, VALUES, check)
    kinds = {key: type(one).__name__ for key, one in space.distributions.items()}
    assert kinds == {
        "train.rate": "FloatDistribution",
        "train.layers": "IntDistribution",
        "train.head": "CategoricalDistribution",
    }
    assert space.distributions["train.rate"].log


def test_choices_may_be_lists() -> None:
    space = Space([Choices(param="train.files", choices=[["a"], ["a", "b"]])], VALUES, check)
    (labels,) = [one.choices for one in space.distributions.values()]
    assert [space.overrides({"train.files": label}) for label in labels] == [
        {"train.files": ["a"]},
        {"train.files": ["a", "b"]},
    ]
    assert space.start() == {"train.files": '["a"]'}


def test_the_current_params_are_the_first_point_if_they_lie_inside() -> None:
    assert Space(SPACE, VALUES, check).start() == {"train.rate": 0.01, "train.layers": 2, "train.head": "linear"}
    outside = {**VALUES, "train": {**TRAIN, "rate": 2.0}}
    assert Space(SPACE, outside, check).start() is None
    assert Space(SPACE, outside, check).anchor() == Space(SPACE, VALUES, check).anchor()


@pytest.mark.parametrize(
    ("dimension", "message"),
    [
        (Range(param="train.rate", low=1.0, high=0.1, scale="linear"), r"sweep\.space\[0\]: train\.rate: low: 1\.0 is"),
        (Range(param="train.rate", low=0.0, high=0.1, scale="log"), "begins above 0"),
        (Range(param="train.layers", low=1.5, high=3.0, scale="linear"), "holds whole numbers"),
        (Range(param="train.head", low=1, high=3, scale="linear"), "holds no number but 'linear'; write choices"),
        (Range(param="train.deep", low=0, high=1, scale="linear"), "holds no number but True"),
        (Choices(param="train.head", choices=["mlp", "mlp"]), "a choice stands there twice"),
    ],
)
def test_what_cannot_be_searched_is_named(dimension: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Space([dimension], VALUES, check)


def test_values_that_the_key_may_not_have_are_refused() -> None:
    def refuse(overrides: Any) -> None:
        if overrides == {"train.rate": 1.0}:
            raise UserError("train.rate: 1.0 is too much")

    with pytest.raises(UserError, match=r"space\[0\]: train\.rate: 1\.0 cannot be tried \(train\.rate: 1\.0 is too"):
        Space(SPACE, VALUES, refuse)
    with pytest.raises(UserError, match="stands there twice"):
        Space([SPACE[0], SPACE[0]], VALUES, check)
