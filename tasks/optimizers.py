"""The optimizers of the plain path, and which parameters they treat alike."""

from collections.abc import Sequence
from typing import Any, Literal

import torch

from tasks.depths import depths, layer_count, rate_factor

Name = Literal["adamw", "adafactor", "sgd"]
MOMENTUM = 0.9  # of sgd


def make_optimizer(name: Name, groups: Sequence[dict[str, Any]], *, fused: bool) -> torch.optim.Optimizer:
    """An optimizer whose learning rate is still 0.

    adamw: Loshchilov and Hutter 2019. adafactor: Shazeer and Stern 2018, with the learning rate that the schedule
    gives, neither scaled by the parameters nor by itself, so that it means what it means with adamw. sgd: with
    momentum 0.9; its weight decay is added to the gradient.

    Args:
        groups: as `parameter_groups` makes them.
        fused: whether adamw updates all tensors of a group in one kernel.
    """
    if name == "adafactor":
        from transformers.optimization import Adafactor

        made: torch.optim.Optimizer = Adafactor(list(groups), lr=0.0, scale_parameter=False, relative_step=False)
        return made
    if name == "sgd":
        return torch.optim.SGD(list(groups), lr=0.0, momentum=MOMENTUM)
    return torch.optim.AdamW(list(groups), lr=0.0, fused=fused)


def set_rate(optimizer: Any, rate: float) -> None:
    """Set the learning rate of every group, ``rate`` times the group's factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]


def parameter_groups(model: Any, weight_decay: float, layer_decay: float = 1.0) -> list[dict[str, Any]]:
    """Trained parameters with decay (matrices) and without (biases and norms, which have one dimension).

    Where ``layer_decay`` is below 1 there is such a pair for each depth, the head's first, and the ``factor`` on the
    learning rate falls from pair to pair.
    """
    trained = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    factors = dict.fromkeys((name for name, _ in trained), 1.0)
    if layer_decay != 1.0:
        lies, layers = depths(model), layer_count(model)
        factors = {name: rate_factor(lies[name], layers, layer_decay) for name, _ in trained}
    groups = []
    for factor in sorted(set(factors.values()), reverse=True):
        alike = [parameter for name, parameter in trained if factors[name] == factor]
        for decayed in (True, False):
            chosen = [parameter for parameter in alike if (parameter.ndim > 1) == decayed]
            groups.append({"params": chosen, "weight_decay": weight_decay if decayed else 0.0, "factor": factor})
    return groups
