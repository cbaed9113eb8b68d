import math

import pytest
import torch

from tasks.adapters import Encoded
from tasks.class_weights import class_weights, weight_of
from tasks.objectives import mean_cross_entropy

WINDOWS = [
    Encoded(0, [2, 5, 6, 7, 3], [-100, 0, 0, 1, -100], [(1, 0), (2, 1), (3, 2)]),
    Encoded(1, [2, 5, 6, 7, 3], [-100, 0, 0, -100, -100], [(1, 0), (2, 1), (3, 2)]),
]  # four times class 0, once class 1, never class 2


def test_none_leaves_the_loss_as_it_is() -> None:
    assert class_weights("none", WINDOWS, 3) is None
    assert weight_of(WINDOWS, None) == 6


def test_balanced_gives_each_class_the_same_share() -> None:
    weights = class_weights("balanced", WINDOWS, 3)
    assert weights == pytest.approx([5 / (2 * 4), 5 / (2 * 1), 0.0])
    assert 4 * weights[0] == pytest.approx(1 * weights[1])
    assert weight_of(WINDOWS, weights) == pytest.approx(5.0)


def test_square_root_goes_half_of_the_way() -> None:
    balanced, smoothed = class_weights("balanced", WINDOWS, 3), class_weights("square_root", WINDOWS, 3)
    assert balanced is not None
    assert smoothed == pytest.approx([math.sqrt(weight) for weight in balanced])


def test_windows_without_labels_weigh_something() -> None:
    empty = [Encoded(0, [2, 3], [-100, -100], [])]
    assert weight_of(empty, None) == 1
    assert weight_of(empty, [0.5, 2.0]) == 1.0


def test_the_weighted_loss_is_the_weighted_mean_of_torch() -> None:
    torch.manual_seed(0)
    logits, targets = torch.randn(7, 3), torch.tensor([0, 0, 0, 1, 0, 2, 0])
    weights = torch.tensor([0.4, 2.0, 3.0])
    own = mean_cross_entropy(logits, targets, weights[targets].sum().item(), weights)
    assert own.item() == pytest.approx(torch.nn.functional.cross_entropy(logits, targets, weight=weights).item())
    assert mean_cross_entropy(logits, targets, 7).item() == torch.nn.functional.cross_entropy(logits, targets).item()
