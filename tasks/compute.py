"""What a stage computes on: device, number format, threads, and whether the bits repeat."""

import ctypes
import os
import platform
import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import UserError
from tasks.params import Compute

if TYPE_CHECKING:
    import torch

CPUINFO = Path("/proc/cpuinfo")
NVIDIA = Path("/dev/nvidiactl")
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


@dataclass(frozen=True)
class Machine:
    """A device that was set up.

    Attributes:
        device: where tensors live.
        bf16: matrix products in bfloat16 (autocast), weights in float32.
        description: one line for a person, e.g. ``cpu (AVX512), 2 threads, bf16``.
    """

    device: "torch.device"
    bf16: bool
    description: str


def set_up(compute: Compute, seed: int) -> Machine:
    """Seed everything and set device, threads and determinism as params.yaml says.

    Raises:
        UserError: the device is not there, or more threads than cores.
    """
    import numpy as np
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if compute.threads > cores:
        raise UserError(
            f"params.yaml: compute.threads: {compute.threads} is more than the {cores} cores here, "
            f"which makes everything slower; write {cores} or less"
        )
    keep_freed_memory()
    torch.set_num_threads(compute.threads)
    os.environ["RAYON_NUM_THREADS"] = str(compute.threads)  # the tokenizer's threads
    device = torch.device(_device_name(compute.device))
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    if compute.deterministic:
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
        torch.use_deterministic_algorithms(True)
        # Filling fresh tensors with NaN is for finding bugs and costs time.
        setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010, a property of a module
    bf16 = compute.precision == "bf16" or (compute.precision == "auto" and _has_bf16(device))
    number = "bf16" if bf16 else "fp32"
    name = device.type
    if name == "cuda":
        name = torch.cuda.get_device_name(device)
    elif name == "cpu":
        name = f"cpu ({torch.backends.cpu.get_cpu_capability()})"
    return Machine(device, bf16, f"{name}, {compute.threads} threads, {number}")


def keep_freed_memory() -> None:
    """Let glibc keep the memory of freed tensors for the next ones instead of handing it back to the kernel.

    Each step makes and frees the same few megabytes. By its defaults glibc maps larger blocks anew each time, and the
    kernel clears their pages one by one: 1,800 page faults in a step of 8 sentences, none with this. Only the process
    that calls it is changed; other C libraries are left as they are. See mallopt(3); 32 MB is the highest threshold
    that glibc takes on 64 bits.
    """
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        for option, size in ((MMAP_THRESHOLD, 32 << 20), (TRIM_THRESHOLD, 1 << 30)):
            mallopt(option, size)


def prepare(model: Any, machine: Machine) -> Any:
    """The model of an adapter with the attention that suits the machine.

    Adapters load eager attention, which is faster for short sentences on a processor; GPUs have fused kernels for
    scaled_dot_product_attention, deterministic ones where compute.deterministic asks for it.
    """
    if machine.device.type == "cuda":
        model.set_attn_implementation("sdpa")
    return model


def _device_name(device: str) -> str:
    import torch

    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if there[name])
    if not there[device]:
        raise UserError(
            f"params.yaml: compute.device: {device!r} is not available to PyTorch here; "
            "write 'auto', or install the build for it ('make setup DEVICE=cuda')"
        )
    return device


def _has_bf16(device: "torch.device") -> bool:
    """Whether the device multiplies bfloat16 in hardware; emulated it is slower than float32."""
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.get_device_capability(device) >= (8, 0))
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return bool(
            capabilities.get("avx512_bf16", False)
            or capabilities.get("amx_bf16", False)
            or capabilities.get("amx_tile", False)
        )
    return False


def may_have_bf16() -> bool:
    """Whether this machine may multiply bfloat16 in hardware, found without loading torch, which knows for sure."""
    if platform.machine() not in ("x86_64", "AMD64") or not CPUINFO.is_file() or NVIDIA.exists():
        return True
    flags = CPUINFO.read_text(encoding="utf-8", errors="replace").partition("\nflags")[2].partition("\n")[0].split()
    return not flags or "avx512_bf16" in flags or "amx_bf16" in flags
