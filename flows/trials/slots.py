"""Processor cores and GPUs of this machine, lent to one trial each, over all processes and projects of the user.

A lent one is a locked file, and the kernel unlocks it on any death, so that none is lost and none is lent twice.
"""

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

PAUSE = 0.1  # seconds between two looks for free ones


@dataclass(frozen=True)
class Slot:
    """What a trial may use: numbers of cores, the GPU's name or None, and the descriptors whose locks say so."""

    cores: tuple[int, ...]
    gpu: str | None
    descriptors: tuple[int, ...]


def cores() -> list[int]:
    """Numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def gpus() -> list[str]:
    """Names of the NVIDIA GPUs that this process may use, as CUDA_VISIBLE_DEVICES takes them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip() not in ("", "-1")]
    return sorted((path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*")), key=int)


def places(threads: int, gpu: bool) -> int:
    """How many trials fit on this machine at once, at least one."""
    by_cores = max(1, len(cores()) // max(1, threads))
    return min(by_cores, len(gpus())) if gpu and gpus() else by_cores


@contextmanager
def lent(threads: int, gpu: bool, waiting: Callable[[], None]) -> Iterator[Slot]:
    """``threads`` cores (all there are, if fewer) and a GPU where one is wanted and there is any.

    Args:
        waiting: called again and again while others have them; may raise.
    """
    names = [f"core-{number}" for number in cores()]
    need = min(max(1, threads), len(names))
    devices = [f"gpu-{name}" for name in gpus()] if gpu else []
    while True:
        with ExitStack() as held:
            with _place() as place:
                got = _grab(place, names, need, held)
                device = _grab(place, devices, 1, held) if devices else {}
            if len(got) == need and (device or not devices):
                yield Slot(
                    cores=tuple(int(name.partition("-")[2]) for name in got),
                    gpu=next((name.partition("-")[2] for name in device), None),
                    descriptors=(*got.values(), *device.values()),
                )
                return
        waiting()
        time.sleep(PAUSE)


@contextmanager
def _place() -> Iterator[Path]:
    """The folder of the locks; inside only one process looks for free ones."""
    place = Path(tempfile.gettempdir()) / f"hone-{os.getuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    with (place / "looking").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield place


def _grab(place: Path, names: list[str], count: int, held: ExitStack) -> dict[str, int]:
    got: dict[str, int] = {}
    for name in names:
        if len(got) == count:
            break
        descriptor = os.open(place / name.replace("/", "_"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        held.callback(os.close, descriptor)
        got[name] = descriptor
    return got
