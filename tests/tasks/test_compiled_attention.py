"""Attention by tiles is that of the definition, over sentences of any length."""

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from tasks import openmp
from tasks.fast_attention import Padded
from tasks.fast_operations import operations

CPU = torch.device("cpu")
if operations(torch.bfloat16, CPU).unpads(1, 64):
    from tasks.compiled_attention import Tiled
    from tasks.fast_dropout import KeySource

pytestmark = pytest.mark.skipif(
    not openmp.available() or not operations(torch.bfloat16, CPU).unpads(1, 64),
    reason="this processor has no AVX512-BF16, or AMX besides, or torch was built without GNU OpenMP",
)


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def data(sizes: list[int], heads: int, units: int) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(sum(sizes))
    rows = sum(sizes)
    starts = torch.tensor([0, *sizes]).cumsum(0)
    return torch.randn(rows, 3 * heads * units).bfloat16(), torch.randn(rows, heads * units).bfloat16(), starts


def defined(qkv: Tensor, sizes: list[int], heads: int) -> Tensor:
    contexts = []
    for part in qkv.split(sizes):
        q, k, v = part.view(len(part), 3, heads, -1).permute(1, 2, 0, 3)
        weights = torch.softmax(q @ k.transpose(1, 2) / math.sqrt(q.shape[-1]), -1)
        contexts.append((weights @ v).transpose(0, 1).flatten(1))
    return torch.cat(contexts)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(("heads", "units"), [(1, 64), (3, 32)])
@pytest.mark.parametrize("sizes", [[1], [2, 1], [5, 16, 3], [17, 31, 32, 1], [70, 3, 64, 65], [130]], ids=str)
def test_it_is_that_of_the_definition(sizes: list[int], heads: int, units: int) -> None:
    qkv, gradient, starts = data(sizes, heads, units)
    attention = Tiled(starts, max(sizes), None)
    context, held = attention.forward(qkv, heads)
    g_bias = torch.empty(qkv.shape[1], dtype=torch.bfloat16)
    g_qkv = attention.backward(gradient, held, heads, g_bias)
    exact = qkv.double().requires_grad_()
    wanted = defined(exact, sizes, heads)
    wanted.backward(gradient.double())
    assert exact.grad is not None
    for own, other in (context, wanted.detach()), (g_qkv, exact.grad), (g_bias, g_qkv.double().sum(0)):
        torch.testing.assert_close(own.double(), other, rtol=0, atol=2e-2 * max(1, other.abs().max().item()))
        assert (own.double() - other).norm() <= 1e-2 * other.norm() + 1e-6


@pytest.mark.usefixtures("threads")
def test_dropout_is_that_of_the_same_keys_over_padded_sentences() -> None:
    heads, length, count = 2, 21, 3
    qkv, gradient, starts = data([length] * count, heads, 32)
    source = KeySource()
    source.seed(4)
    (draw,) = source.several(0.3, 1, ())
    do = operations(torch.bfloat16, CPU)
    padding = do.padding(torch.ones(count, length, dtype=torch.long), heads)
    found = []
    for attention in Tiled(starts, length, draw), Padded(do, count, length, padding, draw):
        context, held = attention.forward(qkv, heads)
        g_bias = torch.empty(qkv.shape[1], dtype=torch.bfloat16)
        found.append((context, attention.backward(gradient, held, heads, g_bias), g_bias))
    for own, other in zip(*found, strict=True):
        torch.testing.assert_close(own.float(), other.float(), rtol=2**-7, atol=2**-7 * other.abs().max().item())
    whole, _ = Tiled(starts, length, None).forward(qkv, heads)
    assert not torch.allclose(whole, found[0][0])
