"""The machine that figures were measured on, as it stands beside them."""

import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Machine:
    """What decides speed.

    Attributes:
        processor: its name.
        zen4: whether it is the kind of core that the reference figures come from.
        cores: that this process may use.
        threads: that each side computes with.
        device: cpu, cuda or mps.
        device_name: of the GPU, or of the processor.
        bf16: whether the device multiplies bfloat16 in hardware.
        memory_gb: of the machine.
        load: mean number of running processes in the minute before the run.
        versions: of Python and the packages that compute.
    """

    processor: str
    zen4: bool
    cores: int
    threads: int
    device: str
    device_name: str
    bf16: bool
    memory_gb: float
    load: float
    versions: dict[str, str]

    def comparable(self) -> bool:
        """Whether the reference figures, of two Zen 4 cores, say what an opponent should reach here."""
        return self.device == "cpu" and self.zen4 and self.threads == 2

    def line(self) -> str:
        """One line for a person."""
        device = "" if self.device == "cpu" else f"{self.device_name}; "
        number = "bf16 in hardware" if self.bf16 else "no bf16 in hardware"
        packages = ", ".join(f"{name} {found}" for name, found in self.versions.items())
        return (
            f"{device}{self.processor}, {self.cores} cores, {self.threads} threads, {number}, "
            f"{self.memory_gb:.0f} GB; load before the run {self.load:.2f}; {packages}"
        )

    def plain(self) -> dict[str, Any]:
        """The fields, for JSON."""
        return asdict(self)


def describe(device: str, threads: int) -> Machine:
    """This machine.

    Args:
        device: as in params.yaml; ``auto`` takes what is there.
    """
    import psutil
    import torch

    if device == "auto":
        there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
        device = next(name for name, found in there.items() if found)
    flags = _cpuinfo("flags")
    processor = _cpuinfo("model name") or platform.processor() or platform.machine()
    zen4 = _cpuinfo("vendor_id") == "AuthenticAMD" and _cpuinfo("cpu family") == "25" and "avx512_bf16" in flags
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(
        processor=f"{processor} (Zen 4)" if zen4 else processor,
        zen4=zen4,
        cores=cores,
        threads=threads,
        device=device,
        device_name=torch.cuda.get_device_name() if device == "cuda" else processor,
        bf16=_has_bf16(device),
        memory_gb=round(psutil.virtual_memory().total / 1e9, 1),
        load=round(os.getloadavg()[0], 2),
        versions={"Python": platform.python_version()}
        | {name: version(name) for name in ("torch", "transformers", "tokenizers")},
    )


def _has_bf16(device: str) -> bool:
    import torch

    if device == "cuda":
        return bool(torch.cuda.get_device_capability() >= (8, 0))
    capabilities = torch.cpu.get_capabilities() if device == "cpu" else {}
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "amx_tile"))


def _cpuinfo(key: str) -> str:
    """The value of ``key`` for the first core, empty where the system does not say."""
    if not CPUINFO.exists():
        return ""
    for line in CPUINFO.read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return ""
