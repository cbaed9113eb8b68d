"""Which encoders the fast paths of training and prediction know, and how their layers are put together."""

from typing import Any

from torch import Tensor

FAMILIES = ("bert", "roberta", "xlm-roberta", "camembert")
GELU = {"gelu": "none", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh"}
ROWS = 64  # the last layer works on multiples of so many: oneDNN makes and keeps code for each new shape


def unfit_family(model: Any) -> str | None:
    """Why the fast path does not know how to compute this model anywhere, or None if it does."""
    config = model.config
    if config.model_type not in FAMILIES:
        return f"it knows {', '.join(FAMILIES)}, not {config.model_type}"
    if getattr(config, "is_decoder", False) or getattr(config, "add_cross_attention", False):
        return "the model is a decoder"
    if getattr(config, "position_embedding_type", "absolute") != "absolute":
        return f"positions are {config.position_embedding_type}"
    if config.hidden_act not in GELU:
        return f"the activation is {config.hidden_act}"
    return None


def layer_parts(layer: Any) -> dict[str, list[Tensor]]:
    """The tensors of a transformers layer under the names of LayerWeights; several are laid above one another."""
    attention, output = layer.attention, layer.output
    projections = [attention.self.query, attention.self.key, attention.self.value]
    return {
        "qkv": [linear.weight for linear in projections],
        "qkv_bias": [linear.bias for linear in projections],
        "out": [attention.output.dense.weight],
        "out_bias": [attention.output.dense.bias],
        "norm1": [attention.output.LayerNorm.weight],
        "norm1_bias": [attention.output.LayerNorm.bias],
        "up": [layer.intermediate.dense.weight],
        "up_bias": [layer.intermediate.dense.bias],
        "down": [output.dense.weight],
        "down_bias": [output.dense.bias],
        "norm2": [output.LayerNorm.weight],
        "norm2_bias": [output.LayerNorm.bias],
    }
