"""What a stage sets up before it computes."""

import platform
import resource

import pytest
import torch

from tasks.compute import keep_freed_memory

PAGES = (8 << 20) // resource.getpagesize()  # of a block of 8 MB


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep memory")
def test_freed_memory_is_used_again_without_page_faults() -> None:
    keep_freed_memory()
    torch.ones(8 << 20, dtype=torch.uint8)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(8 << 20, dtype=torch.uint8)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 2 * PAGES
