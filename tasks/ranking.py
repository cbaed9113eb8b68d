"""The loss of a bi-encoder: a history and its response point the same way, away from the responses that came along."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tasks.adapters import Encoded
from tasks.encoding import IGNORED

SCALE = 20.0  # of cosines to logits, as sentence-transformers has it for this loss
GROUP = 32  # pairs whose responses are compared on validation

Answers = Sequence[tuple[Encoded, Any]]


def scaled(vectors: Tensor) -> Tensor:
    """Vectors of such a length that their inner products are SCALE times their cosines, which serve as logits."""
    return functional.normalize(vectors, dim=-1) * math.sqrt(SCALE)


def mean_rows(outputs: Tensor, counts: Sequence[int]) -> Tensor:
    """The mean of the rows of each window."""
    sizes = torch.tensor(counts, device=outputs.device)
    number = torch.arange(len(counts), device=outputs.device).repeat_interleave(sizes, output_size=len(outputs))
    sums = outputs.new_zeros(len(counts), outputs.shape[1]).index_add(0, number, outputs)
    return sums / sizes[:, None]


def first_rows(outputs: Tensor, counts: Sequence[int]) -> Tensor:
    """The first row of each window."""
    ends = torch.tensor(counts, device=outputs.device).cumsum(0)
    return outputs[torch.cat([ends.new_zeros(1), ends[:-1]])]


def ranking_loss(outputs: Tensor, targets: Tensor, count: float, weights: Tensor | None = None) -> Tensor:  # noqa: ARG001
    """Cross-entropy of each history's own response against all responses that came along (Henderson et al. 2017).

    The others of the same call are the negatives, so a step of several micro batches has those of each micro batch, and
    the loss stays the mean over the step. A response in the words of the history's own is none.

    Args:
        outputs: (n, H), the rows of a history's window and then of its response's, one pair after the other.
        targets: twice the number of the response, and one more in its own window, (n,).
        count: pairs of the step.
    """
    starts = torch.ones_like(targets, dtype=torch.bool)
    starts[1:] = (targets[1:] & 1) != (targets[:-1] & 1)
    sizes = torch.diff(starts.nonzero().flatten(), append=targets.new_tensor([len(targets)]))
    vectors = scaled(mean_rows(outputs, sizes.tolist()))
    return pairs_loss(vectors[0::2], vectors[1::2], targets[starts][::2] >> 1) / count


def pairs_loss(histories: Tensor, responses: Tensor, numbers: Tensor) -> Tensor:
    """Summed over the pairs; vectors (n, H) and the number of each response (n,)."""
    same = numbers[:, None] == numbers
    same.fill_diagonal_(False)
    scores = (histories @ responses.T).masked_fill(same, -math.inf)
    return functional.cross_entropy(scores, torch.arange(len(numbers), device=scores.device), reduction="sum")


def mean_loss(answers: Answers) -> float:
    """Mean loss of pairs in groups of GROUP, each with every so-maniest pair: neighbours are of one dialogue."""
    sides: tuple[list[Any], list[Any]] = ([], [])
    numbers = []
    for window, rows in answers:
        label = window.labels[window.parts[0][0]]
        if label != IGNORED:
            sides[label & 1].append(rows[0])
            numbers += [label >> 1] * (1 - (label & 1))
    histories, responses = (torch.from_numpy(np.array(side)) for side in sides)
    groups = -(-len(numbers) // GROUP)
    total = 0.0
    for first in range(groups):
        chosen = torch.tensor(numbers[first::groups])
        total += float(pairs_loss(histories[first::groups], responses[first::groups], chosen))
    return total / max(len(numbers), 1)
