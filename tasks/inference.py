"""Probabilities of a model for windows, in batches by length."""

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

    Args:
        model: takes input_ids and attention_mask, gives logits of shape (windows, sub-words, classes).
        batch_size: windows per forward pass.
    """
    import torch

    answers: list[Any] = [None] * len(windows)
    model.eval()
    with torch.inference_mode(), torch.autocast(machine.device.type, torch.bfloat16, enabled=machine.bf16):
        for indexes in length_batches(windows, batch_size):
            batch = [windows[index] for index in indexes]
            tensors = collate(batch, pad_id=pad_id, device=machine.device)
            logits = model(input_ids=tensors["input_ids"], attention_mask=tensors["attention_mask"]).logits
            softmax = logits.float().softmax(dim=-1).cpu().numpy()
            for index, window, row in zip(indexes, batch, softmax, strict=True):
                answers[index] = (window, row[[position for position, _ in window.parts]])
    return answers
