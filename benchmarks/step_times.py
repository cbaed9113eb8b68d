"""How long an optimizer step takes, fairly, from a few dozen of them.

Batches of similar length make long and short steps, so the median step is not the typical cost and a short run meets a
sample of lengths that is not the epoch's. Seconds are therefore fitted over the size of the step (Theil 1950, Sen 1968:
medians, so a neighbour's burst does no harm) and read off at the mean size of the whole epoch.
"""

import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median
from typing import Any


class StepClock:
    """Marks the end of each step; on a GPU by events in its stream, so that nothing waits inside the loop."""

    def __init__(self, cuda: bool) -> None:
        self._cuda = cuda
        self._marks: list[Any] = []

    def mark(self) -> int:
        """Note that a step has ended; return how many have."""
        if self._cuda:
            import torch

            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self._marks.append(event)
        else:
            self._marks.append(time.perf_counter())
        return len(self._marks)

    def seconds(self) -> list[float]:
        """Seconds of each step but the first, whose start is unknown."""
        pairs = list(pairwise(self._marks))
        if not self._cuda:
            return [after - before for before, after in pairs]
        import torch

        torch.cuda.synchronize()
        return [before.elapsed_time(after) / 1000 for before, after in pairs]

    def device_memory(self) -> dict[str, int]:
        """Largest memory that tensors took on the GPU, in MB; empty on a processor."""
        if not self._cuda:
            return {}
        import torch

        return {"peak_device_memory_mb": round(torch.cuda.max_memory_allocated() / 2**20)}


def typical_step(seconds: Sequence[float], sizes: Sequence[int], mean_size: float) -> float:
    """Seconds of a step of ``mean_size``, from measured steps.

    Args:
        seconds: of each measured step.
        sizes: sub-words that each of them computed on, padding counted where it is computed.
        mean_size: of a step over the whole epoch.

    Raises:
        ValueError: no step, or as many sizes as seconds are not given.
    """
    if not seconds or len(seconds) != len(sizes):
        raise ValueError(f"{len(seconds)} step times and {len(sizes)} sizes do not make a measurement")
    points = list(zip(sizes, seconds, strict=True))
    slopes = [
        (later - earlier) / (larger - smaller)
        for index, (smaller, earlier) in enumerate(points)
        for larger, later in points[index + 1 :]
        if larger != smaller
    ]
    proportional = median(second / size for size, second in points)
    slope = min(max(0.0, median(slopes)), proportional) if slopes else 0.0  # what lies beyond is noise
    return median(second + slope * (mean_size - size) for size, second in points)


def measured(clock: StepClock, sizes: Sequence[int], mean_size: float, sentences: int, warmup: int) -> dict[str, Any]:
    """The measurement of one process: what stands in the JSON of a side.

    Args:
        sizes: of the steps from the first on.
        mean_size: of a step over the whole epoch.
        sentences: per step.
        warmup: steps before the measured ones, at least 1.
    """
    seconds = clock.seconds()[warmup - 1 :]
    chosen = list(sizes[warmup : warmup + len(seconds)])
    step = typical_step(seconds, chosen, mean_size)
    return clock.device_memory() | {
        "mean_size": round(mean_size, 2),
        "measured_mean_size": round(fmean(chosen), 2),
        "measured_steps": len(seconds),
        "peak_memory_mb": round(peak_memory() / 2**20),
        "sentences_per_second": round(sentences / step, 3),
        "sentences_per_second_of_the_window": round(sentences * len(seconds) / sum(seconds), 3),
        "step_seconds": [round(second, 6) for second in seconds],
        "step_sizes": chosen,
    }


def peak_memory(process: int | None = None) -> int:
    """Largest resident memory of a process since its program started, in bytes; of this one if none is named.

    Linux says it (VmHWM); elsewhere it is what the process has now, or for this one the peak of getrusage. That peak is
    not taken on Linux, where a process starts with its parent's.
    """
    status = Path("/proc") / (str(process) if process else "self") / "status"
    if status.exists():
        found = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(found[0].split()[1]) * 1024 if found else 0  # none: it has just ended
    if process:
        import psutil

        try:
            return int(psutil.Process(process).memory_info().rss)
        except psutil.NoSuchProcess:
            return 0
    import resource
    import sys

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
