"""The chain against brute force: every tag sequence written out."""

import math
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from tasks.adapters import Encoded
from tasks.crf import FORBIDDEN, Crf, allowed, pad
from tasks.encoding import IGNORED

CLASSES = ["O", "B-A", "I-A", "B-B", "I-B"]
LENGTHS = [4, 1, 3, 2]


def chain(seed: int = 0) -> Crf:
    """A chain with random scores."""
    torch.manual_seed(seed)
    made = Crf(6, CLASSES)
    with torch.no_grad():
        for parameter in (made.start, made.transition, made.end):
            parameter.normal_()
    return made


def emissions(seed: int = 1) -> torch.Tensor:
    return torch.randn(sum(LENGTHS), len(CLASSES), generator=torch.Generator().manual_seed(seed)) * 2


def legal(tags: tuple[int, ...]) -> bool:
    """IOB2, said in other words than the code under test."""
    names = ["O", *(CLASSES[tag] for tag in tags)]
    return all(after[0] != "I" or before in (f"B-{after[2:]}", after) for before, after in pairwise(names))


def weights(made: Crf, rows: torch.Tensor) -> dict[tuple[int, ...], float]:
    """The score of every legal tag sequence of one sentence."""
    found = {}
    for tags in filter(legal, product(range(len(CLASSES)), repeat=len(rows))):
        score = made.start[tags[0]] + made.end[tags[-1]] + sum(rows[t, tag] for t, tag in enumerate(tags))
        score = score + sum(made.transition[a, b] for a, b in pairwise(tags))
        found[tags] = score.item()
    return found


def log_sum(values: Any) -> float:
    values = list(values)
    top = max(values)
    return top + math.log(sum(math.exp(value - top) for value in values))


def sentences() -> list[torch.Tensor]:
    return list(emissions().split(LENGTHS))


def test_log_partition_is_that_of_all_legal_sequences() -> None:
    made = chain()
    found = made.log_partition(*pad(emissions(), LENGTHS))
    expected = [log_sum(weights(made, rows).values()) for rows in sentences()]
    assert found.tolist() == pytest.approx(expected, abs=1e-4)


def test_cross_entropies_add_up_to_the_negative_log_likelihood() -> None:
    made = chain()
    gold = [(1, 2, 2, 0), (3,), (0, 1, 3), (3, 4)]
    targets = torch.tensor([tag for tags in gold for tag in tags])
    logits = made.conditional(emissions(), targets, LENGTHS)
    losses = [part.sum().item() for part in cross_entropy(logits, targets, reduction="none").split(LENGTHS)]
    for tags, rows, loss in zip(gold, sentences(), losses, strict=True):
        scores = weights(made, rows)
        assert loss == pytest.approx(log_sum(scores.values()) - scores[tags], abs=1e-4)


def test_gradients_are_those_of_differences() -> None:
    made, targets = chain().double(), torch.tensor([1, 2, 2, 0, 3, 0, 1, 3, 3, 4])
    rows = emissions().double().requires_grad_()

    def loss() -> torch.Tensor:
        return cross_entropy(made.conditional(rows, targets, LENGTHS), targets, reduction="sum")

    loss().backward()
    for parameter, place in ((made.transition, (1, 2)), (made.start, (3,)), (made.end, (4,)), (rows, (2, 1))):
        assert parameter.grad is not None
        with torch.no_grad():
            parameter[place] += 1e-2
            above = loss().item()
            parameter[place] -= 2e-2
            below = loss().item()
            parameter[place] += 1e-2
        assert parameter.grad[place].item() == pytest.approx((above - below) / 2e-2, abs=2e-3)
    assert all(torch.isfinite(value.grad).all() for value in (made.transition, made.start, made.end, rows))


def test_viterbi_finds_the_best_sequence() -> None:
    for seed in range(20):
        made, rows = chain(seed), emissions(seed + 50)
        found = made.viterbi(*pad(rows, LENGTHS))
        for tags, length, part in zip(found.tolist(), LENGTHS, rows.split(LENGTHS), strict=True):
            scores = weights(made, part)
            assert tuple(tags[:length]) == max(scores, key=lambda sequence: scores[sequence])


def test_marginals_are_sums_over_sequences_and_forbidden_tags_have_none() -> None:
    made = chain()
    found = made.marginals(*pad(emissions(), LENGTHS))
    for row, rows in enumerate(sentences()):
        scores = weights(made, rows)
        total = log_sum(scores.values())
        for word, tag in product(range(len(rows)), range(len(CLASSES))):
            expected = sum(math.exp(score - total) for tags, score in scores.items() if tags[word] == tag)
            assert found[row, word, tag].item() == pytest.approx(expected, abs=1e-4)
    assert found[:, 0, [2, 4]].tolist() == [[0.0, 0.0]] * 4


def test_iob2_decides_what_may_follow() -> None:
    start, transition = allowed(CLASSES)
    assert start.tolist() == [True, True, False, True, False]
    assert transition[:, 2].tolist() == [False, True, True, False, False]  # I-A
    assert transition[:, [0, 1, 3]].all()
    assert allowed(["NOUN", "VERB"])[1].all()


def test_a_tag_that_iob2_forbids_is_never_chosen() -> None:
    made = chain()
    strong = torch.zeros(3, len(CLASSES))
    strong[:, 2] = 50.0  # I-A everywhere, also at the beginning
    (found,) = made.viterbi(*pad(strong, [3])).tolist()
    assert found == [1, 2, 2]


def windows() -> list[tuple[Encoded, Any]]:
    """One sentence of six words in two windows, and one of two words; the long one is B-A and I-A from word 2 on."""
    long = [
        Encoded(0, [0] * 5, [IGNORED] * 5, [(1, 0), (2, 1), (3, 2)]),
        Encoded(0, [0] * 5, [2] * 5, [(2, 3), (3, 4)]),
    ]
    short = Encoded(1, [0] * 4, [IGNORED, 0, 0, IGNORED], [(1, 0), (2, 1)])
    rows = np.zeros((3, len(CLASSES)), np.float32)
    rows[2, 1] = 9
    inner = np.zeros((2, len(CLASSES)), np.float32)
    inner[:, 2] = 9
    sure = np.zeros((2, len(CLASSES)), np.float32)
    sure[:, 0] = 9
    return [(long[0], rows), (short, sure), (long[1], inner)]


def test_a_chain_runs_through_all_windows_of_a_sentence() -> None:
    made = Crf(6, CLASSES)
    answers = windows()
    resolved = made.resolve(answers)
    assert [window for window, _ in resolved] == [window for window, _ in answers]
    tags = [rows.argmax(1).tolist() for _, rows in resolved]
    assert tags[0][2] == 1
    assert tags[1:] == [[0, 0], [2, 2]]
    whole = pad(torch.from_numpy(np.concatenate([answers[0][1], answers[2][1]])), [5])
    marginals = made.marginals(*whole)[0]
    assert resolved[2][1].max(1).tolist() == pytest.approx(marginals[[3, 4], [2, 2]].tolist(), abs=1e-6)
    assert all(((rows > 0).sum(1) == 1).all() for _, rows in resolved)
    assert abs(resolved[2][1]) == pytest.approx(marginals[[3, 4]].detach().numpy(), abs=1e-6)


def test_loss_counts_known_words_and_takes_unknown_ones_as_any_tag() -> None:
    made = chain()
    (sentence, rows) = windows()[1]
    scores = weights(made, torch.from_numpy(rows))
    assert made.mean_loss([(sentence, rows)]) == pytest.approx((log_sum(scores.values()) - scores[0, 0]) / 2, abs=1e-4)
    half = Encoded(1, [0] * 4, [IGNORED, IGNORED, 0, IGNORED], sentence.parts)
    ends = log_sum(score for tags, score in scores.items() if tags[1] == 0)
    assert made.mean_loss([(half, rows)]) == pytest.approx(log_sum(scores.values()) - ends, abs=1e-4)


def test_scores_of_forbidden_transitions_do_not_learn() -> None:
    made = chain()
    rows = emissions()
    targets = torch.tensor([1, 2, 2, 0, 3, 0, 1, 3, 3, 4])
    cross_entropy(made.conditional(rows, targets, LENGTHS), targets).backward()
    assert made.transition.grad is not None
    assert made.transition.grad[~made.allowed_transition].abs().max() == 0
    assert (made.scores()[1][~made.allowed_transition] == FORBIDDEN).all()
