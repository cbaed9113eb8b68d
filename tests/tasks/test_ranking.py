"""The loss of pairs of vectors: by hand, over micro batches, and with responses that are the same."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from tasks.adapters import Encoded
from tasks.batches import collate
from tasks.encoding import IGNORED
from tasks.objectives import RANKING, RANKING_FIRST, make
from tasks.ranking import SCALE


def rows(*pairs: tuple[list[list[float]], list[list[float]], int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs and targets of pairs of a history's rows, a response's rows and the response's number."""
    outputs, targets = [], []
    for history, response, number in pairs:
        outputs += [*history, *response]
        targets += [2 * number] * len(history) + [2 * number + 1] * len(response)
    return torch.tensor(outputs, requires_grad=True), torch.tensor(targets)


X, Y = [1.0, 0.0], [0.0, 1.0]


def test_a_case_by_hand() -> None:
    """Cosines 1 and 0 for the first, 1/sqrt(2) twice for the second: ln(1 + e^-20) and ln 2."""
    outputs, targets = rows(([X], [X, [3.0, 0.0]], 0), ([X, Y], [Y], 1))
    loss = RANKING.loss(outputs, targets, 2, None)
    assert loss.item() == pytest.approx((math.log1p(math.exp(-SCALE)) + math.log(2)) / 2, abs=1e-6)
    loss.backward()
    assert outputs.grad is not None
    assert outputs.grad.abs().sum() > 0


def test_the_same_response_twice_is_no_negative() -> None:
    outputs, targets = rows(([X], [X], 7), ([X], [X], 7), ([Y], [Y], 8))
    assert RANKING.loss(outputs, targets, 3, None).item() == pytest.approx(math.log1p(math.exp(-SCALE)), abs=1e-6)
    assert RANKING.loss(outputs, torch.tensor([0, 1, 2, 3, 4, 5]), 3, None).item() > 0.4


def test_micro_batches_sum_to_the_mean_over_the_step_with_negatives_of_their_own() -> None:
    """Candidates are what one call sees: each of two calls of two pairs has one negative and is half of the step."""
    torch.manual_seed(0)
    parts = [
        rows(*((torch.randn(3, 4).tolist(), torch.randn(2, 4).tolist(), 2 * part + n) for n in (0, 1)))
        for part in (0, 1)
    ]
    halves = [RANKING.loss(*part, 4, None).item() for part in parts]
    alone = [RANKING.loss(*part, 2, None).item() for part in parts]
    assert sum(halves) == pytest.approx(sum(alone) / 2, abs=1e-6)
    whole = RANKING.loss(torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts]), 4, None)
    assert whole.item() > sum(halves)  # three negatives are harder than one
    one = rows(([X], [Y], 0))
    assert RANKING.loss(*one, 1, None).item() == 0.0  # nothing to compare with: finetune refuses such steps


def window(example: int, label: int, length: int) -> Encoded:
    return Encoded(example, list(range(1, length + 1)), [label] * length, [(place, -1) for place in range(length)])


@pytest.mark.parametrize(("objective", "counts"), [(RANKING, [3, 2, 1, 2]), (RANKING_FIRST, [1, 1, 1, 1])])
def test_what_is_read_and_what_it_is_compared_with_fit(objective: Any, counts: list[int]) -> None:
    windows = [window(0, 0, 3), window(0, 1, 2), window(1, 2, 1), window(1, 3, 2)]
    made = collate(windows, pad_id=0, device=torch.device("cpu"), objective=objective)
    assert made["targets"].tolist() == [
        label for label, count in zip(range(4), counts, strict=True) for _ in range(count)
    ]
    assert len(made["answered"]) == sum(counts)
    assert objective.weight(windows, None) == 2
    assert make("ranking" if objective is RANKING else "ranking_first", 0) is objective


def test_windows_have_one_output_the_mean_or_the_first() -> None:
    outputs = torch.tensor([[1.0, 0.0], [3.0, 2.0], [5.0, 5.0]])
    assert RANKING.pool is not None
    assert RANKING_FIRST.pool is not None
    assert RANKING.pool(outputs, [2, 1]).tolist() == [[2.0, 1.0], [5.0, 5.0]]
    assert RANKING_FIRST.pool(outputs, [2, 1]).tolist() == [[1.0, 0.0], [5.0, 5.0]]


def test_the_loss_on_validation_is_that_of_training_and_leaves_other_candidates_out() -> None:
    torch.manual_seed(0)
    vectors = torch.randn(6, 4)
    windows = [window(number // 2, number, 1) for number in range(6)]
    answers = [(one, RANKING.answer(vectors[[number]]).numpy()) for number, one in enumerate(windows)]
    answers.append((window(0, IGNORED, 1), np.ones((1, 4), np.float32)))
    wanted = RANKING.loss(vectors, torch.arange(6), 3, None)
    assert RANKING.mean_loss(answers) == pytest.approx(float(wanted), abs=1e-6)
