"""Which examples form a batch, in which order, and how they become tensors."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tasks.adapters import Encoded
from tasks.encoding import IGNORED
from tasks.objectives import CLASSES, Objective

if TYPE_CHECKING:
    import torch

POOL = 100  # batches whose examples are sorted by length together: CoNLL's have 5 % padding then, with 32 they have 12


def epoch_batches(lengths: Sequence[int], *, batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Indexes of the examples of each batch of an epoch, of similar length within a batch, in random order.

    The order follows from the arguments alone. Every example stands in exactly one batch.

    Args:
        lengths: sub-words of each example.
        batch_size: examples per batch; the last batch of a pool may hold fewer only at the end of the epoch.
    """
    source = random.Random(f"{seed} {epoch}")
    order = list(range(len(lengths)))
    source.shuffle(order)
    batches = []
    for start in range(0, len(order), batch_size * POOL):
        pool = sorted(order[start : start + batch_size * POOL], key=lambda index: lengths[index])
        batches += [pool[at : at + batch_size] for at in range(0, len(pool), batch_size)]
    source.shuffle(batches)
    return batches


def length_batches(windows: Sequence[Encoded], batch_size: int) -> Iterator[list[int]]:
    """Indexes of windows for prediction, longest first, so that memory peaks at once and little is padded."""
    order = sorted(range(len(windows)), key=lambda index: -len(windows[index].input_ids))
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def collate(
    windows: Sequence[Encoded], *, pad_id: int, device: "torch.device", objective: Objective = CLASSES
) -> dict[str, Any]:
    """Windows as padded tensors, B windows of L sub-words.

    Returns:
        input_ids and attention_mask, int64 (B, L); ``answered``: the rows of (B * L) that the head reads, int64 (n,),
        and ``targets``: what its outputs are compared with; ``padded``: whether any window is shorter than L;
        ``lengths``: how many of those rows each example has, a list. For the whole model also ``labels``, int64 (B, T),
        IGNORED behind the end of each; the targets are those of them that are not ignored, row by row.
    """
    import torch

    longest = max(len(window.input_ids) for window in windows)
    ids = [window.input_ids + [pad_id] * (longest - len(window.input_ids)) for window in windows]
    mask = [[1] * len(window.input_ids) + [0] * (longest - len(window.input_ids)) for window in windows]
    read = [row * longest + place for row, window in enumerate(windows) for place in objective.rows(window)]
    tensors = {
        "input_ids": torch.tensor(ids),
        "attention_mask": torch.tensor(mask),
        "answered": torch.tensor(read, dtype=torch.long),
        "targets": objective.targets(windows),
    }
    if objective.whole_model:
        most = max(len(window.labels) for window in windows)
        tensors["labels"] = torch.tensor(
            [window.labels + [IGNORED] * (most - len(window.labels)) for window in windows]
        )
    moved: dict[str, Any] = {name: tensor.to(device, non_blocking=True) for name, tensor in tensors.items()}
    lengths = Counter(windows[row // longest].example for row in read)
    padded = any(len(window.input_ids) < longest for window in windows)
    return moved | {"padded": padded, "lengths": list(lengths.values())}
