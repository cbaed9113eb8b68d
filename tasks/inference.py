"""Probabilities of a model for windows, in batches by length."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tasks.adapters import Encoded
from tasks.batches import collate, length_batches
from tasks.compute import Machine

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def probabilities(
    model: Any, windows: Sequence[Encoded], *, pad_id: int, machine: Machine, batch_size: int
) -> list[tuple[Encoded, "NDArray[np.float32]"]]:
    """Each window with its class probabilities, shape (parts of the window, classes), in the given order.

    Where a chain of tags stands on the model, all tags but the chosen one bear a minus sign (tasks.crf.Crf.resolve);
    all windows of an example must then be here.

    Args:
        model: takes input_ids and attention_mask, gives logits of shape (windows, sub-words, classes).
        batch_size: windows per forward pass.
    """
    from tasks.heads import chain_of

    answers = _answers(model, windows, pad_id=pad_id, machine=machine, batch_size=batch_size)
    chain = chain_of(model)
    return answers if chain is None else chain.resolve(answers)


def validated(
    model: Any, windows: Sequence[Encoded], *, pad_id: int, machine: Machine, batch_size: int
) -> tuple[list[tuple[Encoded, "NDArray[np.float32]"]], float]:
    """What `probabilities` gives, and the loss of training on these windows per labelled word, in nats."""
    from tasks.heads import chain_of

    answers = _answers(model, windows, pad_id=pad_id, machine=machine, batch_size=batch_size)
    chain = chain_of(model)
    return (answers, mean_loss(answers)) if chain is None else (chain.resolve(answers), chain.mean_loss(answers))


def mean_loss(answers: Sequence[tuple[Encoded, Any]]) -> float:
    """Mean cross-entropy in nats of the labelled parts, from probabilities; labels unseen in train are left out."""
    total, count = 0.0, 0
    for window, rows in answers:
        for (position, _), row in zip(window.parts, rows, strict=True):
            label = window.labels[position]
            if label >= 0:
                total -= math.log(max(float(row[label]), 1e-12))
                count += 1
    return total / max(count, 1)


def _answers(
    model: Any, windows: Sequence[Encoded], *, pad_id: int, machine: Machine, batch_size: int
) -> list[tuple[Encoded, "NDArray[np.float32]"]]:
    """Each window with its class probabilities, or with the scores that a chain on the model reads."""
    import torch

    from tasks.heads import chain_of

    chained = chain_of(model) is not None
    answers: list[Any] = [None] * len(windows)
    model.eval()
    with torch.inference_mode(), torch.autocast(machine.device.type, torch.bfloat16, enabled=machine.bf16):
        for indexes in length_batches(windows, batch_size):
            batch = [windows[index] for index in indexes]
            tensors = collate(batch, pad_id=pad_id, device=machine.device)
            logits = model(input_ids=tensors["input_ids"], attention_mask=tensors["attention_mask"]).logits.float()
            rows = (logits if chained else logits.softmax(dim=-1)).cpu().numpy()
            for index, window, row in zip(indexes, batch, rows, strict=True):
                answers[index] = (window, row[[position for position, _ in window.parts]])
    return answers
