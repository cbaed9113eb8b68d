"""The compiled form of the small operations computes what torch's operations do."""

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tasks import compiled, openmp
from tasks.compiled_operations import CompiledOperations
from tasks.fast_dropout import KeySource
from tasks.fast_operations import Operations, TorchOperations, operations

pytestmark = pytest.mark.skipif(not openmp.available(), reason="torch was built without GNU OpenMP")
CPU = torch.device("cpu")
TYPES = {torch.float32: 2e-5, torch.bfloat16: 2e-2}


@pytest.fixture(params=TYPES, ids=str)
def pair(request: pytest.FixtureRequest) -> tuple[Operations, Operations, torch.dtype, float]:
    work = request.param
    return CompiledOperations(work), TorchOperations(work, CPU), work, TYPES[work]


def near(found: Any, wanted: Any, tolerance: float) -> None:
    for own, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(own, other, atol=tolerance * max(1, other.abs().max().item()), rtol=0)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("rows", [1, 2, 37])
def test_norms_and_their_gradients(
    pair: tuple[Operations, Operations, torch.dtype, float], rows: int, threads: int
) -> None:
    *both, work, tolerance = pair
    torch.manual_seed(0)
    width = 40
    stream, weight, bias, gradient = (
        torch.randn(rows, width),
        torch.randn(width),
        torch.randn(width),
        torch.randn(rows, width),
    )
    branch, more = torch.randn(rows, width).to(work), torch.randn(rows, width).to(work)
    results = []
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for do in both:
            y, low, held = do.norm(branch.clone(), None, stream, weight, bias, 1e-12)
            for parts in (gradient, more), (gradient, None):
                grads = torch.empty(width), torch.empty(width), torch.empty(width, dtype=work)
                found = do.norm_backward(parts, held, None, (weight, bias), grads)
                results.append((y, low, *found, *grads))
    finally:
        torch.set_num_threads(before)
    near(results[0], results[2], tolerance)
    near(results[1], results[3], tolerance)
    assert results[0][1].dtype == work


@pytest.mark.parametrize("form", ["none", "tanh"])
def test_gelu_and_its_gradient(pair: tuple[Operations, Operations, torch.dtype, float], form: str) -> None:
    *both, work, tolerance = pair
    x = torch.cat([torch.linspace(-12, 12, 400), torch.tensor([0.0, -0.0, 50.0, -50.0])]).view(4, 101).to(work)
    gradient = torch.randn(4, 101).to(work)
    results = []
    for do in both:
        g_bias = torch.empty(101, dtype=work)
        results.append((do.gelu_backward(gradient, x, form, g_bias), g_bias))
    near(*results, tolerance)


@pytest.mark.parametrize("length", [1, 7, 33])
def test_attention_with_padding(pair: tuple[Operations, Operations, torch.dtype, float], length: int) -> None:
    *both, work, tolerance = pair
    heads, sizes = 3, [length, max(1, length // 2)]
    mask = (torch.arange(length) < torch.tensor(sizes)[:, None]).long()
    q, k = torch.randn(2, 2 * heads, length, 8).to(work).unbind()
    gradient = torch.randn(2 * heads, length, length).to(work)
    results = []
    for do in both:
        weights, kept = do.attend(q, k, do.padding(mask, heads), None)
        assert torch.equal(weights, kept)
        results.append((weights, do.attend_backward(gradient.clone(), weights, None, 0.5)))
    near(*results, tolerance)
    away = results[0][0].view(2, heads, length, length)[1, :, :, sizes[1] :]
    assert not away.any()


def test_dropout_has_its_share_is_independent_and_the_same_in_both_directions() -> None:
    do = CompiledOperations(torch.float32)
    source = KeySource()
    source.seed(3)
    draws = source.several(0.1, 40, (0,))
    again = KeySource()
    again.seed(3)
    assert draws == again.several(0.1, 40, (0,))
    assert source.several(0.0, 2, (0,)) == [None, None]
    ones = torch.ones(400, 500)
    masks = [do.drop(ones, draw)[0] for draw in draws]
    assert sorted(masks[0].unique().tolist()) == pytest.approx([0.0, 1 / 0.9])
    kept = torch.stack(masks) > 0
    assert kept.float().mean().item() == pytest.approx(0.9, abs=2e-4)  # 8 million draws: one standard deviation is 1e-4
    for axis, count in (1, 400), (2, 500):  # rows and columns vary as independent draws do
        deviation = kept.float().mean(axis).std().item()
        assert deviation == pytest.approx(math.sqrt(0.09 / count), rel=0.05)
    rest = (kept.float() - 0.9).flatten(1) / 0.3
    among = (rest @ rest.T) / rest.shape[1]
    assert among.fill_diagonal_(0).abs().max() < 6 / math.sqrt(rest.shape[1])
    beside = (rest[:, 1:] * rest[:, :-1]).mean(1).abs().max()
    assert beside < 6 / math.sqrt(rest.shape[1])
    branch, stream = torch.randn(8, 500), torch.randn(8, 500)
    weights = torch.ones(500), torch.zeros(500)
    _, _, held = do.norm(branch, draws[0], stream, *weights, 1e-12)
    grads = torch.empty(500), torch.empty(500), torch.empty(500)
    _, g_branch = do.norm_backward((torch.randn(8, 500), None), held, draws[0], weights, grads)
    assert torch.equal(g_branch == 0, masks[0][:8] == 0)
    assert torch.equal(held[0] == stream, masks[0][:8] == 0)


def test_what_is_no_number_stays_none() -> None:
    do = CompiledOperations(torch.bfloat16)
    stream = torch.randn(3, 16)
    stream[1, 4] = math.nan
    branch = torch.zeros(3, 16, dtype=torch.bfloat16)
    y, low, _ = do.norm(branch, None, stream, torch.ones(16), torch.zeros(16), 1e-12)
    for found in (y, low):
        assert found.isnan().any(1).tolist() == [False, True, False]


def test_rounding_to_bfloat16_is_that_of_torch() -> None:
    do = CompiledOperations(torch.bfloat16)
    bits = torch.randint(-(2**31), 2**31 - 1, (2, 65536), dtype=torch.int32)
    x = torch.cat(
        [bits.view(torch.float32), torch.tensor([[0.0, -0.0, math.inf, -math.inf, 1.00390625, 1.01171875]] * 2)], 1
    )
    _, low = do.drop(x, None)
    own, other = low.float(), x.to(torch.bfloat16).float()
    assert torch.equal(own.isnan(), other.isnan())
    assert torch.equal(own.nan_to_num(7.0), other.nan_to_num(7.0))


def test_a_build_without_gnu_openmp_takes_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(operations(torch.bfloat16, CPU), CompiledOperations)
    monkeypatch.setattr("tasks.fast_operations.available", lambda: False)
    assert isinstance(operations(torch.bfloat16, CPU), TorchOperations)


def test_compiled_functions_are_kept_for_all_worktrees(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import torch, numpy as np\n"
        "from tasks.flat_kernels import squares\n"
        "own = squares(np.float32)\n"
        "total, parts = torch.zeros(1, dtype=torch.float64), torch.empty(8, dtype=torch.float64)\n"
        "own(torch.full((10_000,), 0.5), total, 10_000, parts)\n"
        "print(own.from_disk, total.item())\n"
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    said = []
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        said.append(done.stdout)
    assert said == ["False 2500.0\n", "True 2500.0\n"]
    assert list((tmp_path / "cache" / "hone" / "compiled").glob("*.nbi"))


def test_each_form_of_a_function_has_files_of_its_own(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def body_for(kind: Any) -> Any:
        return lambda p: kind

    names = []
    for kind in (np.uint16, np.float32, np.float32):
        found = compiled.Locator.from_function(body_for(kind), compiled.__file__)
        assert found is not None
        names.append(found.get_disambiguator())
    assert names[0] != names[1] == names[2]
    assert compiled.Locator.from_function(body_for(1), str(tmp_path / "other.py")) is None


def test_sentences_of_any_length_fit(pair: tuple[Operations, Operations, torch.dtype, float]) -> None:
    own, other, work, tolerance = pair
    q, k = torch.randn(2, 1, 5000, 8).to(work).unbind()
    mask = torch.ones(1, 5000, dtype=torch.long)
    near(
        [own.attend(q, k, own.padding(mask, 1), None)[0]],
        [other.attend(q, k, other.padding(mask, 1), None)[0]],
        tolerance,
    )


def test_the_exponential_is_exact_enough() -> None:
    x = torch.linspace(-80, 80, 100_001)
    out = np.empty(len(x), np.float32)
    for index, value in enumerate(x[::50].numpy()):
        out[index] = compiled.exponential(value)
    found = Tensor(out[: len(x[::50])]).double()
    wanted = x[::50].double().exp()
    assert ((found - wanted) / wanted).abs().max() < 5e-6
