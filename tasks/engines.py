"""Which of the two engines trains a model: the fast one where it fits, else the plain one."""

from collections.abc import Sequence
from typing import Any

from tasks.adapters import Encoded
from tasks.compute import Machine
from tasks.fast_engine import FastEngine, unfit
from tasks.params import Params
from tasks.plain_engine import PlainEngine
from tasks.training import Engine


def choose_engine(
    model: Any,
    head: Any,
    windows: Sequence[Encoded],
    pad_id: int,
    machine: Machine,
    settings: Params,
) -> tuple[Engine, str]:
    """The engine that trains ``model``, and a few words on which it is and why."""
    options = settings.finetune
    reason = "it is for encoders" if head is None else unfit(model, machine)
    other = {
        "processes": options.processes > 1 and options.processes,
        "optimizer": options.optimizer != "adamw" and options.optimizer,
        "features": options.features != "last" and options.features,
        "head": options.head == "crf" and options.head,
        "lora.rank": options.lora.rank,
    }
    lacks = [f"finetune.{key}: {value}" for key, value in other.items() if value]
    if lacks:
        reason = f"it has no {' and no '.join(lacks)}"
    if reason:
        engine = PlainEngine(
            model,
            head,
            machine=machine,
            weight_decay=options.weight_decay,
            dropout=options.dropout,
            seed=settings.seed,
            features=options.features,
            optimizer=options.optimizer,
            frozen_layers=options.frozen_layers,
            layer_decay=options.layer_decay,
        )
        return engine, f"plain path (the fast one does not fit: {reason})"
    fast = FastEngine(
        model,
        head,
        {pad_id}.union(*(window.input_ids for window in windows)),
        max(len(window.input_ids) for window in windows),
        machine=machine,
        weight_decay=options.weight_decay,
        dropout=options.dropout,
        attention_dropout=options.attention_dropout,
        seed=settings.seed,
        frozen_layers=options.frozen_layers,
        layer_decay=options.layer_decay,
    )
    return fast, "fast path"
