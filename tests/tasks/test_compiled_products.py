"""Products of our own compute what the definition says, whatever the rows and threads."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tasks import openmp

if openmp.available():
    from tasks import compiled_products
    from tasks.compiled_products import Products

pytestmark = pytest.mark.skipif(
    not openmp.available() or not compiled_products.suits_processor(),
    reason="this processor has no AVX512-BF16, or AMX besides, or torch was built without GNU OpenMP",
)


@pytest.fixture(params=[1, 2, 3, 5])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def operands(rows: int, outs: int, units: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(rows)
    shapes = (rows, units), (outs, units), (outs,), (rows, outs)
    x, weight, bias, gradient = (torch.randn(shape).bfloat16() for shape in shapes)
    return x, weight, bias, gradient


def near(found: Tensor, wanted: Tensor) -> None:
    """To the rounding of the result: 8 bits, of the largest number for those that nearly cancel out."""
    assert found.dtype == torch.bfloat16
    assert found.shape == wanted.shape
    size = wanted.abs().max().item() if wanted.numel() else 1.0
    torch.testing.assert_close(found.double(), wanted, rtol=2**-8, atol=2**-16 * size)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(("outs", "units"), [(64, 64), (192, 64), (64, 320), (384, 1536)])
@pytest.mark.parametrize("rows", [1, 2, 5, 6, 7, 11, 61])
def test_they_are_those_of_the_definition(rows: int, outs: int, units: int) -> None:
    x, weight, bias, gradient = operands(rows, outs, units)
    products = Products()
    for _ in range(2):  # the second time in a place that was written to
        near(products.linear(x, weight, bias), x.double() @ weight.double().T + bias.double())
        g_weight = torch.full_like(weight, float("nan"))
        near(products.linear_backward(gradient, x, weight, g_weight), gradient.double() @ weight.double())
        near(g_weight, gradient.double().T @ x.double())


def test_without_rows_the_gradient_is_nothing() -> None:
    x, weight, bias, gradient = operands(0, 64, 128)
    products = Products()
    assert products.linear(x, weight, bias).shape == (0, 64)
    g_weight = torch.full_like(weight, float("nan"))
    assert products.linear_backward(gradient, x, weight, g_weight).shape == (0, 128)
    assert not g_weight.any()


def test_bits_follow_from_the_operands_alone(threads: int) -> None:
    x, weight, bias, gradient = operands(23, 192, 128)
    g_weight, wanted = torch.empty_like(weight), torch.empty_like(weight)
    whole, g_x = Products().linear(x, weight, bias), Products().linear_backward(gradient, x, weight, g_weight)
    torch.set_num_threads(1)
    assert torch.equal(Products().linear_backward(gradient, x, weight, wanted), g_x), threads
    assert torch.equal(wanted, g_weight)
    for row in (0, 5, 22):
        one = slice(row, row + 1)
        assert torch.equal(Products().linear(x[one], weight, bias), whole[one])
        assert torch.equal(Products().linear_backward(gradient[one], x[one], weight, wanted), g_x[one])


def test_weights_of_other_sizes_are_left_to_torch() -> None:
    assert compiled_products.suits(64, 384)
    assert not compiled_products.suits(9, 384)
    assert not compiled_products.suits(384, 96)


def test_processors_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "cpuinfo"
    monkeypatch.setattr(compiled_products, "CPUINFO", info)
    suits = compiled_products.suits_processor.__wrapped__
    assert not suits()
    for flags, wanted in (("avx2 avx512_bf16", True), ("avx512_bf16 amx_bf16", False), ("avx512f", False)):
        info.write_text(f"processor\t: 0\nflags\t\t: fpu {flags}\nbugs\t:\n", encoding="utf-8")
        assert suits() is wanted
