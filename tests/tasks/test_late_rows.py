"""Rows that are updated when they are read next have the bits of rows that are updated at once."""

import random

import pytest
import torch

from tasks import openmp
from tasks.flat import Entry, FlatAdamW

pytestmark = pytest.mark.skipif(not openmp.available(), reason="torch was built without GNU OpenMP")
ROWS, WIDTH = 30, 24


def optimizer(*, late: bool, work: torch.dtype) -> FlatAdamW:
    torch.manual_seed(0)
    entries = [
        Entry("words", torch.randn(ROWS, WIDTH), True, 0.5, False, late=late),
        Entry("norm", torch.randn(WIDTH), False, 0.5, False),
        Entry("up", torch.randn(WIDTH, 8), True, 1.0, True),
    ]
    return FlatAdamW(entries, work, weight_decay=0.1, device=torch.device("cpu"))


def backward(flat: FlatAdamW, ids: list[int], seed: int) -> None:
    source = torch.Generator().manual_seed(seed)
    flat.read(torch.tensor(ids))
    words = flat.gradients["words"]
    words = words if flat.clears else words.zero_()
    words.index_add_(0, torch.tensor(ids), torch.randn(len(ids), WIDTH, generator=source))
    for name in ("norm", "up"):
        flat.gradients[name].copy_(torch.randn(flat.gradients[name].shape, generator=source))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("work", [torch.float32, torch.bfloat16], ids=str)
def test_the_bits_are_those_of_updates_at_once(work: torch.dtype, threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        choice = random.Random(1)
        own, plain = (optimizer(late=late, work=work) for late in (True, False))
        assert own.clears and not plain.clears
        for step in range(150):
            batches = [[choice.randrange(ROWS - 1) for _ in range(3)] for _ in range(choice.choice([1, 1, 2]))]
            for flat in (own, plain):
                total = None
                for number, ids in enumerate(batches):
                    backward(flat, ids, 1000 * step + number)
                    if len(batches) > 1:
                        total = flat.collect() if total is None else total.add_(flat.collect())
                if total is not None:
                    flat.put(total)
                flat.step(0.01 / (step + 1), 1e9)  # clipping sums the squares in another order
            if step in (40, 41, 90):  # reading all in between changes nothing
                assert torch.equal(own.master, plain.master)
            if step == 70:  # a checkpoint
                other = optimizer(late=True, work=work)
                other.load({name: tensor.clone() for name, tensor in own.state().items()})
                own = other
        assert torch.equal(own.master, plain.master)
        for name, tensor in plain.state().items():
            assert torch.equal(own.state()[name], tensor), name
    finally:
        torch.set_num_threads(before)


def test_moments_that_have_faded_are_nothing() -> None:
    flat = optimizer(late=True, work=torch.float32)
    backward(flat, [3, 4], 0)
    flat.step(0.01, 1.0)
    for step in range(900):
        backward(flat, [5], step)
        flat.step(0.0, 1.0)
    first = flat.state()["first"]
    assert (first.abs()[first != 0] >= 1e-30).all()
    rows = first[flat.views["words"].storage_offset() :][: ROWS * WIDTH].view(ROWS, WIDTH)
    assert rows[5].any()
    assert not rows[3:5].any()
    assert torch.isfinite(flat.master).all()
