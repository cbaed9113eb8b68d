"""How deep in a model each parameter lies: what freezing and layer-wise learning rates go by."""

from typing import Any

from torch import nn

from tasks.errors import UserError


def depths(model: Any) -> dict[str, int]:
    """Depth of each parameter of a transformers model by name: embeddings 0, layers from 1, head above the last.

    What an encoder has after its layers (a last norm) lies as deep as the last layer, but a pooler is part of the head.

    Raises:
        UserError: the encoder has no list of layers that could be told apart.
    """
    base = model.base_model
    prefix, count = _layers(base)
    inside = {id(parameter): name for name, parameter in base.named_parameters()}
    found: dict[str, int] = {}
    passed = False  # the layers
    for name, parameter in model.named_parameters():
        own = inside.get(id(parameter))
        if own is None or own.startswith("pooler."):
            found[name] = count + 1
        elif own.startswith(prefix):
            passed = True
            found[name] = int(own.removeprefix(prefix).split(".", 1)[0]) + 1
        else:
            found[name] = count if passed and "emb" not in own else 0
    return found


def layer_count(model: Any) -> int:
    """Number of the encoder's layers."""
    return _layers(model.base_model)[1]


def rate_factor(depth: int, layers: int, decay: float) -> float:
    """Factor on the learning rate at a depth: 1 for the head, ``decay`` once more for each step down.

    Howard and Ruder 2018 (discriminative fine-tuning), in the form of ELECTRA (Clark et al. 2020).
    """
    return float(decay ** (layers + 1 - depth))


def freeze(model: Any, layers: int) -> None:
    """Keep the embeddings and the first ``layers`` layers as they are; 0 freezes nothing."""
    if layers:
        lies = depths(model)
        for name, parameter in model.named_parameters():
            if lies[name] <= layers:
                parameter.requires_grad_(False)


def check_depths(model: Any, *, frozen_layers: int, layer_decay: float, lora_rank: int) -> None:
    """Refuse what the model cannot do.

    Raises:
        UserError: more frozen layers than the encoder has, a decay or low-rank matrices where no layer is left to
            train, or layers that cannot be told apart.
    """
    if frozen_layers == 0 and layer_decay == 1.0:
        return
    count = layer_count(model)
    if frozen_layers > count:
        raise UserError(
            f"params.yaml: finetune.frozen_layers: {frozen_layers} is more than the {count} layers of finetune.model; "
            f"write {count} or less"
        )
    if frozen_layers == count and layer_decay < 1.0:
        raise UserError(
            f"params.yaml: finetune.layer_decay: {layer_decay:g} has no layer to work on, because "
            f"finetune.frozen_layers: {frozen_layers} freezes all; write layer_decay: 1.0 or freeze fewer"
        )
    if frozen_layers == count and lora_rank > 0:
        raise UserError(
            f"params.yaml: finetune.lora.rank: {lora_rank} has no layer to work on, because "
            f"finetune.frozen_layers: {frozen_layers} freezes all; write rank: 0 or freeze fewer"
        )


def _layers(base: Any) -> tuple[str, int]:
    """Prefix of the names of the layers' parameters, and how many layers there are."""
    wanted = getattr(base.config, "num_hidden_layers", None)
    for name, module in base.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == wanted:
            return f"{name}.", len(module)
    raise UserError(
        f"params.yaml: finetune.model: the layers of a {base.config.model_type} are not known one by one; "
        "write finetune.frozen_layers: 0 and finetune.layer_decay: 1.0, or take another model"
    )
