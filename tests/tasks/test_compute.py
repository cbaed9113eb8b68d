"""What a stage sets up before it computes."""

import platform
import resource
from pathlib import Path

import pytest
import torch

from tasks import compute
from tasks.compute import keep_freed_memory, may_have_bf16

PAGES = (8 << 20) // resource.getpagesize()  # of a block of 8 MB


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep memory")
def test_freed_memory_is_used_again_without_page_faults() -> None:
    keep_freed_memory()
    torch.ones(8 << 20, dtype=torch.uint8)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(8 << 20, dtype=torch.uint8)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 2 * PAGES


def test_what_the_flags_say_of_bf16_is_never_less_than_what_torch_finds() -> None:
    capable = torch.cpu.get_capabilities()
    if capable.get("avx512_bf16") or capable.get("amx_bf16"):
        assert may_have_bf16()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2\n", False),
        ("processor\t: 0\nflags\t\t: fpu avx2 avx512_bf16\n", True),
        ("processor\t: 0\n", True),  # says nothing
    ],
)
def test_bf16_is_found_in_the_flags(text: str, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(text)
    monkeypatch.setattr(compute, "CPUINFO", cpuinfo)
    monkeypatch.setattr(compute, "NVIDIA", tmp_path / "none")
    monkeypatch.setattr(compute.platform, "machine", lambda: "x86_64")
    assert may_have_bf16() is expected
    (tmp_path / "none").touch()
    assert may_have_bf16()
