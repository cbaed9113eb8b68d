"""Dropout of a model, which its kind has under names of its own."""

from typing import Any

from torch import nn


def set_dropout(config: Any, model: Any, hidden: float, attention: float) -> None:
    """Set the dropout of a model, under the names of BERT, DistilBERT, BART and T5, in its config and its modules."""
    for own in (config, getattr(config, "encoder", None), getattr(config, "decoder", None)):
        for name in ("hidden_dropout_prob", "dropout", "dropout_rate"):
            if hasattr(own, name):
                setattr(own, name, hidden)
        for name in ("attention_probs_dropout_prob", "attention_dropout"):
            if hasattr(own, name):
                setattr(own, name, attention)
    for name, module in model.named_modules():
        attends = ("attention" in name or "attn" in name) and "output" not in name
        if isinstance(module, nn.Dropout):
            module.p = attention if attends else hidden
        elif attends and hasattr(module, "dropout_prob"):
            module.dropout_prob = attention
        elif isinstance(getattr(module, "dropout", None), float):  # BART and Marian drop by a number of their own
            module.dropout = attention if attends else hidden
