from pathlib import Path
from typing import Any

import pytest
import torch

from tasks.adapters.token_classification import model as token_classifier
from tasks.depths import depths, freeze
from tasks.optimizers import make_optimizer, parameter_groups, set_rate


@pytest.fixture
def model(bert_folder: Path) -> Any:
    return token_classifier(str(bert_folder), {}, ["O", "B-X", "I-X"])


def test_biases_and_norms_do_not_decay(model: Any) -> None:
    decayed, plain = parameter_groups(model, 0.01)
    assert decayed["weight_decay"] == 0.01
    assert plain["weight_decay"] == 0.0
    assert all(parameter.ndim == 1 for parameter in plain["params"])
    assert len(decayed["params"]) + len(plain["params"]) == len(list(model.parameters()))


def test_each_depth_has_a_rate_of_its_own(model: Any) -> None:
    groups = parameter_groups(model, 0.01, 0.5)
    assert [group["factor"] for group in groups[::2]] == [1.0, 0.5, 0.25, 0.125]
    assert [group["weight_decay"] for group in groups] == [0.01, 0.0] * 4
    lies = depths(model)
    factor = {id(parameter): group["factor"] for group in groups for parameter in group["params"]}
    for name, parameter in model.named_parameters():
        assert factor[id(parameter)] == 0.5 ** (3 - lies[name]), name


def test_frozen_parameters_are_in_no_group(model: Any) -> None:
    freeze(model, 1)
    groups = parameter_groups(model, 0.01, 0.5)
    assert [group["factor"] for group in groups[::2]] == [1.0, 0.5]
    assert sum(len(group["params"]) for group in groups) == 16 + 2


@pytest.mark.parametrize("name", ["adamw", "adafactor", "sgd"])
def test_the_rate_and_its_factor_decide_the_step(name: Any) -> None:
    matrices = [torch.nn.Parameter(torch.ones(4, 3)) for _ in range(2)]
    groups = [{"params": [matrix], "weight_decay": 0.0, "factor": 0.5**i} for i, matrix in enumerate(matrices)]
    optimizer = make_optimizer(name, groups, fused=False)
    set_rate(optimizer, 0.1)
    for matrix in matrices:
        matrix.grad = torch.full((4, 3), 0.3)
    optimizer.step()
    moved = [(1 - matrix).mean().item() for matrix in matrices]
    expected = 0.1 * 0.3 if name == "sgd" else 0.1  # the others divide a gradient by its own size
    assert moved == pytest.approx([expected, expected / 2], rel=1e-4)


@pytest.mark.parametrize("name", ["adamw", "adafactor", "sgd"])
def test_decay_pulls_towards_zero(name: Any) -> None:
    matrix = torch.nn.Parameter(torch.ones(4, 3))
    optimizer = make_optimizer(name, [{"params": [matrix], "weight_decay": 0.2, "factor": 1.0}], fused=False)
    set_rate(optimizer, 0.1)
    matrix.grad = torch.zeros(4, 3)
    optimizer.step()
    assert matrix.mean().item() == pytest.approx(1 - 0.1 * 0.2)
