"""One training in several processes: each computes the gradients of its share of a step, and all take the same step.

The stage's own process is the first of them. It alone holds locks, reads and writes checkpoints, validates, speaks and
writes outs; the others are its children, get what they need from it, and end when it ends. They meet over gloo on a
processor and over nccl on GPUs, one GPU each, all on this machine.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import UserError

if TYPE_CHECKING:
    import torch

    from tasks.compute import Machine
    from tasks.params import Params
    from tasks.training import Store

RANK, MEETING = "HONE_RANK", "HONE_MEETING"  # number of a child from 1, file at which they find each other
PATIENCE = timedelta(days=1)  # for the others, which wait while the first validates
LEAVING = 30  # seconds that children have to end by themselves

Found = tuple[int, dict[str, "torch.Tensor"], dict[str, Any]]


def rank() -> int:
    """Number of this process; 0 is the stage's own."""
    return int(os.environ.get(RANK, "0"))


def check(settings: "Params", machine: "Machine") -> None:
    """Refuse at the start what several processes cannot do.

    Raises:
        UserError: with the key and the remedy.
    """
    import torch

    count, options = settings.finetune.processes, settings.finetune
    if count == 1:
        return
    key = f"params.yaml: finetune.processes: {count}"
    kind = machine.device.type
    if kind == "mps":
        raise UserError(f"{key} needs processor or GPUs of NVIDIA, not mps; write 1 or set compute.device: cpu")
    if options.max_minutes:
        raise UserError(f"{key} does not go with finetune.max_minutes, for clocks differ; use finetune.max_steps")
    if options.batch_size < count:
        raise UserError(
            f"{key} is more than finetune.batch_size: {options.batch_size}; each needs an example of a step"
        )
    if kind == "cuda" and torch.cuda.device_count() < count:
        raise UserError(f"{key}, but there are {torch.cuda.device_count()} GPUs; each process needs one")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if kind == "cpu" and count * settings.compute.threads > cores:
        raise UserError(
            f"{key} with compute.threads: {settings.compute.threads} each is more than the {cores} cores here, "
            "which makes everything slower; lower one of them"
        )


@contextmanager
def children(count: int) -> Iterator[None]:
    """Start the other ``count - 1`` processes with the command of this one; none of them outlives the block.

    Raises:
        UserError: one of them failed; with its last words.
    """
    if count == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="hone-processes-") as folder:
        os.environ[MEETING] = str(Path(folder) / "meeting")
        started = []
        try:
            for number in range(1, count):
                with (Path(folder) / f"{number}.log").open("wb") as log:
                    command = [sys.executable, *sys.orig_argv[1:]]
                    environment = {**os.environ, RANK: str(number)}
                    started.append(
                        subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
                    )
            try:
                yield
                codes = [child.wait(timeout=LEAVING) for child in started]
            except (RuntimeError, subprocess.TimeoutExpired) as error:  # what gloo and nccl raise when one is gone
                codes = [child.poll() or 0 for child in started]
                if not any(codes):
                    raise
                _fail(folder, codes, error)
            if any(codes):
                _fail(folder, codes, None)
        finally:
            for child in started:
                child.kill()
                child.wait()
            del os.environ[MEETING]


def _fail(folder: str, codes: list[int], cause: BaseException | None) -> None:
    number, code = next((number, code) for number, code in enumerate(codes, start=1) if code)
    said = (Path(folder) / f"{number}.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    last = f": {said[-1]}" if said else ""
    raise UserError(f"process {number + 1} of {len(codes) + 1} ended with {code}{last}") from cause


@contextmanager
def together(count: int, device: "torch.device") -> Iterator[None]:
    """Meet the other processes; in the block accelerate's Accelerator knows of all."""
    if count == 1:
        yield
        return
    import torch
    from accelerate.state import AcceleratorState, PartialState

    os.environ.update(RANK=str(rank()), LOCAL_RANK=str(rank()), WORLD_SIZE=str(count), LOCAL_WORLD_SIZE=str(count))
    os.environ["OMP_NUM_THREADS"] = str(torch.get_num_threads())  # else accelerate sets another number
    loopback = "lo0" if sys.platform == "darwin" else "lo"
    os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback)
    os.environ.setdefault("NCCL_SOCKET_IFNAME", loopback)
    if device.type == "cuda":
        torch.cuda.set_device(rank())
    torch.distributed.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        init_method=f"file://{os.environ[MEETING]}",
        rank=rank(),
        world_size=count,
        timeout=PATIENCE,
    )
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()
        AcceleratorState._reset_state(reset_partial_state=True)
        PartialState._reset_state()


def once(
    validate: Callable[[Any], tuple[float, float]], device: "torch.device"
) -> Callable[[Any], tuple[float, float]]:
    """``validate`` in the first process alone; all get its answer."""
    import torch

    def answer(model: Any) -> tuple[float, float]:
        found = validate(model) if rank() == 0 else (0.0, 0.0)
        shared = torch.tensor(found, dtype=torch.float64, device=device)
        torch.distributed.broadcast(shared, 0)
        loss, figure = shared.tolist()
        return loss, figure

    return answer


class SharedStore:
    """The store of the first process, from which all go on and into which it alone writes."""

    def __init__(self, store: "Store | None", device: "torch.device") -> None:
        """``store`` is None in the other processes, and where no checkpoints are kept."""
        self._store, self._device = store, device

    def load(self) -> "Found | None":
        """What the first process found, on the processor."""
        import torch

        found = self._store.load() if self._store is not None else None
        tensors = found[1] if found is not None else {}
        shapes = {name: (list(value.shape), value.dtype) for name, value in tensors.items()}
        told: list[Any] = [None if found is None else (found[0], shapes, found[2])]
        torch.distributed.broadcast_object_list(told, 0, device=self._device)
        if told[0] is None:
            return None
        step, shapes, state = told[0]
        shared = {}
        for name, (shape, kind) in shapes.items():
            value = tensors[name] if name in tensors else torch.empty(shape, dtype=kind)
            value = value.to(self._device).contiguous()
            torch.distributed.broadcast(value, 0)
            shared[name] = value.cpu()
        return step, shared, state

    def due(self, step: int) -> bool:
        """As the first process's store says; False in the others."""
        return self._store is not None and self._store.due(step)

    def save(self, step: int, tensors: dict[str, "torch.Tensor"], state: dict[str, Any]) -> bool:
        """Write, in the first process."""
        return self._store is not None and self._store.save(step, tensors, state)

    def leave_if_told(self) -> None:
        """End the first process if it was told to; the others then end with it."""
        if self._store is not None:
            self._store.leave_if_told()
