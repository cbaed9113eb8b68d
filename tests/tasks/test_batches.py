import random

import torch

from tasks.adapters import Encoded
from tasks.batches import collate, epoch_batches, length_batches
from tasks.encoding import IGNORED

LENGTHS = [random.Random(7).randint(3, 60) for _ in range(1003)]


def test_every_example_stands_in_exactly_one_batch() -> None:
    batches = epoch_batches(LENGTHS, batch_size=16, seed=1, epoch=1)
    assert sorted(index for batch in batches for index in batch) == list(range(1003))
    assert len(batches) == 63
    assert max(map(len, batches)) == 16


def test_order_follows_from_seed_and_epoch_alone() -> None:
    random.seed(0)
    one = epoch_batches(LENGTHS, batch_size=16, seed=1, epoch=1)
    random.seed(1)
    assert one == epoch_batches(LENGTHS, batch_size=16, seed=1, epoch=1)
    assert one != epoch_batches(LENGTHS, batch_size=16, seed=1, epoch=2)
    assert one != epoch_batches(LENGTHS, batch_size=16, seed=2, epoch=1)


def test_batches_hold_examples_of_similar_length() -> None:
    batches = epoch_batches(LENGTHS, batch_size=16, seed=1, epoch=1)
    padded = sum(max(LENGTHS[i] for i in batch) * len(batch) for batch in batches)
    assert padded < 1.1 * sum(LENGTHS)


def test_prediction_starts_with_the_longest() -> None:
    windows = [Encoded(i, [1] * length, [], []) for i, length in enumerate((3, 9, 5))]
    assert list(length_batches(windows, 2)) == [[1, 2], [0]]


def test_padding_is_masked_and_ignored() -> None:
    windows = [Encoded(0, [5, 6, 7], [IGNORED, 2, IGNORED], [(1, 0)]), Encoded(1, [5], [1], [(0, 0)])]
    tensors = collate(windows, pad_id=0, device=torch.device("cpu"))
    assert tensors["input_ids"].tolist() == [[5, 6, 7], [5, 0, 0]]
    assert tensors["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert tensors["answered"].tolist() == [1, 3]
    assert tensors["targets"].tolist() == [2, 1]
    assert tensors["padded"] is True
    assert collate(windows[:1], pad_id=0, device=torch.device("cpu"))["padded"] is False
