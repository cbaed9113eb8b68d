"""What the outputs of a head are compared with: the one thing in which encoder tasks differ while they are trained.

A head reads some hidden states of a window, its rows, and gives outputs of C numbers. ``labels`` of a window (one
number per sub-word, IGNORED where nothing is learned) mean for each objective:

classes      the class of the sub-word; an output per row.
label_sets   any number of classes at once, as the bits of one number: bit i is set where class i holds.
pairs        the class of the window, at its first part; one output for the rows of its two parts, in their order.
spans        1 at the first and 2 at the last sub-word of the answer (3 where both are one), 4 more at the first row of
             the window, 0 at other rows; two outputs per row, how gladly the answer starts and ends there. A window
             without the answer has both at its first row (Devlin et al. 2019, for SQuAD 2.0).
sequences    no head and no rows: ``labels`` are all sub-words of the text that is to be written, its end among them,
             and the whole model's outputs are compared with them (tasks/generation.py).
ranking      the number of the example's response twice in the window of its history, and that and one in the window of
             the response, at every sub-word; equal responses have equal numbers. The output of a window is the mean of
             those of its rows, a vector; ``ranking_first`` reads the first row alone.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tasks import ranking
from tasks.adapters import Encoded
from tasks.class_weights import weight_of
from tasks.encoding import END, FIRST, IGNORED, START

TINY = 1e-12  # probability below which a loss on validation counts no further

Answers = Sequence[tuple[Encoded, Any]]


@dataclass(frozen=True)
class Objective:
    """What a task's head is trained for.

    Attributes:
        rows_per_output: hidden states that the head joins to one output.
        rows: ``(window) -> places``: sub-words whose hidden states the head reads in training, in its order.
        targets: ``(windows) -> tensor``: one entry per output, for the loss.
        loss: ``(outputs (n, C) float32, targets, count, weights (C,) or None) -> ()``: summed and divided by ``count``.
        weight: ``(windows, weights) -> float``: what the loss of a step is divided by; above 0.
        answer: ``(outputs) -> (n, C)``: what decode gets.
        mean_loss: ``(answers) -> float``: mean loss in nats of windows with what `answer` gave for them.
        weighs_classes: whether class weights make sense.
        whole_model: whether the outputs are those of the whole model, one per label, instead of a head's over rows.
        pool: ``(outputs (n, C), rows of each window) -> (windows, C)``: the one output of each window, before `answer`;
            None where every row has its own.
        least: examples that must be in memory at once to teach anything.
    """

    rows_per_output: int
    rows: Callable[[Encoded], list[int]]
    targets: Callable[[Sequence[Encoded]], Tensor]
    loss: Callable[[Tensor, Tensor, float, Tensor | None], Tensor]
    weight: Callable[[Sequence[Encoded], Sequence[float] | None], float]
    answer: Callable[[Tensor], Tensor]
    mean_loss: Callable[[Answers], float]
    weighs_classes: bool
    whole_model: bool = False
    pool: Callable[[Tensor, Sequence[int]], Tensor] | None = None
    least: int = 1

    def sizes(self, window: Encoded) -> tuple[int, ...]:
        """Sub-words of each sequence of the window that the model reads."""
        return (len(window.input_ids), len(window.labels)) if self.whole_model else (len(window.input_ids),)


def make(name: str, classes: int) -> Objective:
    """The objective that an adapter names, for a head of so many outputs per row."""
    if name == "label_sets":
        return label_sets(classes)
    return {
        "classes": CLASSES,
        "pairs": PAIRS,
        "spans": SPANS,
        "sequences": SEQUENCES,
        "ranking": RANKING,
        "ranking_first": RANKING_FIRST,
    }[name]


def labelled(window: Encoded) -> list[int]:
    """Sub-words that have a label."""
    return [place for place, label in enumerate(window.labels) if label != IGNORED]


def _labels(windows: Sequence[Encoded]) -> list[int]:
    return [label for window in windows for label in window.labels if label != IGNORED]


def _label_targets(windows: Sequence[Encoded]) -> Tensor:
    return torch.tensor(_labels(windows), dtype=torch.long)


def mean_cross_entropy(logits: Tensor, targets: Tensor, count: float, weights: Tensor | None = None) -> Tensor:
    """Cross-entropy in nats, summed and divided by ``count``.

    Args:
        logits: float32 (n, classes).
        targets: classes (n,).
        count: of all words of the step; with weights, what they weigh together.
        weights: of each class (classes,).
    """
    return functional.cross_entropy(logits, targets, weight=weights, reduction="sum") / count


def _class_loss(answers: Answers) -> float:
    """Mean cross-entropy of the labelled parts, from probabilities; labels unseen in train are left out."""
    total, count = 0.0, 0
    for window, rows in answers:
        for (place, _), row in zip(window.parts, rows, strict=False):  # a pair has one row for two parts
            label = window.labels[place]
            if label >= 0:
                total -= math.log(max(float(row[label]), TINY))
                count += 1
    return total / max(count, 1)


CLASSES = Objective(
    rows_per_output=1,
    rows=labelled,
    targets=_label_targets,
    loss=mean_cross_entropy,
    weight=weight_of,
    answer=lambda outputs: outputs.softmax(-1),
    mean_loss=_class_loss,
    weighs_classes=True,
)


def _windows_weight(windows: Sequence[Encoded], weights: Sequence[float] | None) -> float:
    """One per window that teaches something, or what its class weighs."""
    if weights is not None:
        return weight_of(windows, weights)
    return max(1, sum(any(label != IGNORED for label in window.labels) for window in windows))


def _pair_rows(window: Encoded) -> list[int]:
    """Both parts, where the first has a label."""
    return [place for place, _ in window.parts] if window.labels[window.parts[0][0]] != IGNORED else []


PAIRS = Objective(
    rows_per_output=2,
    rows=_pair_rows,
    targets=_label_targets,
    loss=mean_cross_entropy,
    weight=_windows_weight,
    answer=CLASSES.answer,
    mean_loss=_class_loss,
    weighs_classes=True,
)


def label_sets(classes: int) -> Objective:
    """Each class on its own, yes or no: binary cross-entropy, the mean over the classes."""

    def targets(windows: Sequence[Encoded]) -> Tensor:
        bits = [[label >> index & 1 for index in range(classes)] for label in _labels(windows)]
        return torch.tensor(bits, dtype=torch.float32).reshape(-1, classes)

    def loss(outputs: Tensor, wanted: Tensor, count: float, weights: Tensor | None) -> Tensor:  # noqa: ARG001
        return functional.binary_cross_entropy_with_logits(outputs, wanted, reduction="sum") / (count * classes)

    def mean_loss(answers: Answers) -> float:
        total, count = 0.0, 0
        for window, rows in answers:
            for (place, _), row in zip(window.parts, rows, strict=True):
                label = window.labels[place]
                if label != IGNORED:
                    sure = (value if label >> index & 1 else 1 - value for index, value in enumerate(row.tolist()))
                    total -= sum(math.log(max(value, TINY)) for value in sure) / classes
                    count += 1
        return total / max(count, 1)

    return Objective(
        rows_per_output=1,
        rows=labelled,
        targets=targets,
        loss=loss,
        weight=_windows_weight,
        answer=lambda outputs: outputs.sigmoid(),
        mean_loss=mean_loss,
        weighs_classes=False,
    )


def span_loss(outputs: Tensor, targets: Tensor, count: float, weights: Tensor | None = None) -> Tensor:  # noqa: ARG001
    """Mean of two cross-entropies over the rows of each window, that of the start and that of the end.

    Args:
        outputs: (n, 2), the rows of one window after the other.
        targets: sums of START, END and FIRST, (n,).
    """
    window = (targets & FIRST > 0).cumsum(0) - 1  # at most as many as rows: a GPU is not asked for their number
    highest = torch.full_like(outputs, -math.inf)
    highest = highest.scatter_reduce(0, window[:, None].expand(-1, 2), outputs.detach(), "amax")
    total = torch.zeros_like(highest).index_add(0, window, (outputs - highest[window]).exp())
    used = total != 0  # not of rows without a window; what is no number stays one that is seen
    everything = (total.where(used, 1).log() + highest.where(used, 0)).sum()
    answers = torch.stack((targets & START > 0, targets & END > 0), 1)
    return (everything - outputs.where(answers, 0).sum()) / (2 * count)


def _span_mean_loss(answers: Answers) -> float:
    total, count = 0.0, 0
    for window, rows in answers:
        known = [label for label in (window.labels[place] for place, _ in window.parts) if label != IGNORED]
        if len(known) == len(window.parts):
            total += float(span_loss(torch.from_numpy(rows), torch.tensor(known), 1))
            count += 1
    return total / max(count, 1)


SPANS = Objective(
    rows_per_output=1,
    rows=labelled,
    targets=_label_targets,
    loss=span_loss,
    weight=lambda windows, weights: _windows_weight(windows, None),  # noqa: ARG005
    answer=lambda outputs: outputs,
    mean_loss=_span_mean_loss,
    weighs_classes=False,
)


def _no_mean_loss(_answers: Answers) -> float:
    raise ValueError("what was written says nothing of the loss; tasks/generation.py has it")


SEQUENCES = Objective(
    rows_per_output=1,
    rows=lambda window: [],  # noqa: ARG005
    targets=_label_targets,
    loss=mean_cross_entropy,
    weight=lambda windows, weights: max(1, len(_labels(windows))),  # noqa: ARG005
    answer=lambda outputs: outputs,
    mean_loss=_no_mean_loss,
    weighs_classes=False,
    whole_model=True,
)


RANKING = Objective(
    rows_per_output=1,
    rows=labelled,
    targets=_label_targets,
    loss=ranking.ranking_loss,
    weight=lambda windows, weights: max(1, len({window.example for window in windows})),  # noqa: ARG005
    answer=ranking.scaled,
    mean_loss=ranking.mean_loss,
    weighs_classes=False,
    pool=ranking.mean_rows,
    least=2,
)
RANKING_FIRST = replace(
    RANKING,
    rows=lambda window: labelled(window)[:1],
    targets=lambda windows: torch.tensor([label for window in windows for label in _labels([window])[:1]]),
    pool=ranking.first_rows,
)
