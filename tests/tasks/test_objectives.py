"""Losses against the textbook's, window by window, and the loss on validation against that of training."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from tasks.adapters import Encoded
from tasks.encoding import END, FIRST, IGNORED, START
from tasks.objectives import PAIRS, SPANS, label_sets, make

# of four and three sub-words; the answer is (1, 2) in the first and at the first row, so none, in the second
WINDOWS = [
    Encoded(0, [1, 5, 6, 2], [FIRST, START, END, IGNORED], [(0, -1), (1, 0), (2, 1)]),
    Encoded(1, [1, 5, 2], [FIRST | START | END, 0, IGNORED], [(0, -1), (1, 0)]),
]
OUTPUTS = torch.tensor([[0.1, 2.0], [1.5, -1.0], [0.3, 0.7], [2.0, 0.5], [-1.0, 0.2]])


def test_the_loss_of_spans_is_the_mean_of_two_cross_entropies_per_window() -> None:
    wanted = 0.0
    for rows, start, end in ((OUTPUTS[:3], 1, 2), (OUTPUTS[3:], 0, 0)):
        wanted += cross_entropy(rows[:, 0], torch.tensor(start)) + cross_entropy(rows[:, 1], torch.tensor(end))
    targets = SPANS.targets(WINDOWS)
    assert targets.tolist() == [FIRST, START, END, FIRST | START | END, 0]
    count = SPANS.weight(WINDOWS, None)
    assert count == 2
    assert SPANS.loss(OUTPUTS, targets, count, None).item() == pytest.approx(float(wanted) / 4)
    answers = [(WINDOWS[0], OUTPUTS[:3].numpy()), (WINDOWS[1], OUTPUTS[3:].numpy())]
    assert SPANS.mean_loss(answers) == pytest.approx(float(wanted) / 4)


def test_the_loss_of_spans_has_the_gradient_of_cross_entropy() -> None:
    one, other = (OUTPUTS.clone().requires_grad_() for _ in range(2))
    SPANS.loss(one, SPANS.targets(WINDOWS), 2, None).backward()
    total: Any = 0
    for rows, start, end in ((other[:3], 1, 2), (other[3:], 0, 0)):
        total = total + cross_entropy(rows[:, 0], torch.tensor(start)) + cross_entropy(rows[:, 1], torch.tensor(end))
    (total / 4).backward()
    assert torch.allclose(one.grad, other.grad, atol=1e-6)


def test_sets_of_labels_are_bits_also_of_more_than_64_classes() -> None:
    classes = 70
    objective = make("label_sets", classes)
    windows = [Encoded(0, [1, 2], [1 << 69 | 1, IGNORED], [(0, 0)]), Encoded(1, [1, 2], [0, IGNORED], [(0, 0)])]
    targets = objective.targets(windows)
    assert targets.nonzero().tolist() == [[0, 0], [0, 69]]
    outputs = torch.linspace(-2, 2, 2 * classes).reshape(2, classes)
    count = objective.weight(windows, None)
    wanted = binary_cross_entropy_with_logits(outputs, targets).item()
    assert objective.loss(outputs, targets, count, None).item() == pytest.approx(wanted, rel=1e-5)
    rows = objective.answer(outputs).numpy()
    answers = [(window, row[None]) for window, row in zip(windows, rows, strict=True)]
    assert objective.mean_loss(answers) == pytest.approx(wanted, rel=1e-4)


def test_a_window_without_labels_is_no_target_of_sets() -> None:
    silent = Encoded(0, [1, 2], [IGNORED, IGNORED], [(0, 0)])
    assert label_sets(3).targets([silent]).shape == (0, 3)


def test_a_pair_is_read_in_the_order_of_its_parts_and_counts_once() -> None:
    windows = [
        Encoded(0, [1, 5, 6, 2], [IGNORED, IGNORED, 4, IGNORED], [(2, 0), (1, 1)]),
        Encoded(1, [1, 5, 6, 2], [IGNORED] * 4, [(1, 0), (2, 1)]),
    ]
    assert [PAIRS.rows(window) for window in windows] == [[2, 1], []]
    assert PAIRS.targets(windows).tolist() == [4]
    assert PAIRS.weight(windows, None) == 1
    assert PAIRS.weight(windows, [1.0] * 4 + [2.5]) == 2.5
    row = np.array([[0.1, 0.1, 0.1, 0.2, 0.5]], np.float32)
    assert PAIRS.mean_loss([(windows[0], row), (windows[1], row)]) == pytest.approx(-np.log(0.5))
