"""Predictions for many files at once: groups of files, each in a process of its own, on this machine or a cluster.

It is carried by what carries trials (flows/trials/engines.py). Files and project lie in folders that all workers see. A
file that a worker leaves unfinished is gone on with where it stopped, by whoever gets it next (tasks/prediction_files).
"""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Queue
from typing import Any, Literal

from flows.trials import engines, slots
from flows.trials.fan_out import server_for
from tasks.params_file import load

GROUPS = 4  # for each place, so that none has to wait long for another's last one
QUICK = 20_000_000  # bytes, below which a group is not worth a start of its own
_stopping = threading.Event()


@dataclass(frozen=True)
class Group:
    """Files that one process answers, one after the other.

    Attributes:
        name: for Prefect.
        root: the project's folder, as all workers see it.
        options: of tasks.predict, but for the files.
        files: the inputs.
        threads: processor threads that it computes with.
        gpu: whether it uses a GPU where there is one.
    """

    name: str
    root: str
    options: Sequence[str]
    files: Sequence[str]
    threads: int
    gpu: bool

    def plain(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)


def predict_files(
    files: Sequence[Path],
    options: Sequence[str],
    *,
    on: Literal["local", "dask", "ray"],
    address: str | None,
    say: Callable[[str], None],
) -> bool:
    """Predict each of ``files``; False if one of them failed, which is said. The current folder is the project.

    Args:
        options: of tasks.predict, but for the files.
        on: local (this machine, without Prefect), dask or ray.
        address: of an existing Dask scheduler or Ray cluster; None starts one on this machine.

    Raises:
        UserError: no cluster at ``address``, or a package for it is missing.
    """
    engines.check(on, address)
    settings = load(Path("params.yaml")).compute
    gpu = settings.device not in ("cpu", "mps")
    well: list[bool] = []

    def loop(submit: engines.Submit, available: int) -> None:
        answers: Queue[dict[str, Any]] = Queue()
        groups = _groups(files, GROUPS * available)
        for number, own in enumerate(groups, start=1):
            name = f"{number} of {len(groups)}"
            names = [str(file) for file in own]
            submit(Group(name, str(Path.cwd()), options, names, settings.threads, gpu), answers.put)
        left = len(groups)
        while left:
            answer = answers.get()
            left -= 1
            for line in answer.get("said") or [f"error: {answer['error']}"]:
                say(line)
            well.append(answer["state"] == "ran")
            if left:
                say(f"{len(groups) - left} of {len(groups)} groups of files are done")

    _stopping.clear()
    places = min(slots.places(settings.threads, gpu), len(files))
    try:
        if on == "local":
            engines.run_local(loop, places, predict_group)
        else:
            with ExitStack() as stack:
                url = stack.enter_context(server_for(on, address, say))
                from flows.predict_task import predict

                engines.run_in_prefect(
                    loop,
                    places,
                    on=on,
                    address=address,
                    group=f"{len(files)} files",
                    url=url,
                    threads=settings.threads,
                    gpu=gpu,
                    name="predict",
                    task=predict,
                )
    finally:
        _stopping.set()
    return all(well)


def predict_group(values: dict[str, Any]) -> dict[str, Any]:
    """Answer the files of a Group (as plain values) on this machine; its ``state``, and ``said``, a list of lines."""
    group = Group(**values)
    root, host = Path(group.root), socket.gethostname()
    if not (root / "params.yaml").is_file():
        why = f"error: worker {host} does not see {root}; files are predicted where workers share the project's folder"
        return {"state": "failed", "said": [why]}
    if _stopping.is_set():
        return {"state": "failed", "said": ["error: stopped"]}
    with slots.lent(group.threads, group.gpu, lambda: None) as slot:
        done = subprocess.run(
            [sys.executable, "-m", "tasks.predict", *group.options, "--input", *group.files],
            cwd=root,
            env={**os.environ, "HONE_STARTER": str(os.getpid()), "CUDA_VISIBLE_DEVICES": slot.gpu or ""},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
        )
    said = [line for line in done.stderr.splitlines() if line and not line.startswith("predict: ")]
    if done.returncode and not any(line.startswith("error: ") for line in said):
        said.append(f"error: {group.files[0]} and what follows it: the process ended with {done.returncode}; run again")
    return {"state": "failed" if done.returncode else "ran", "said": said}


def _groups(files: Sequence[Path], most: int) -> list[list[Path]]:
    """At most so many groups of about the same size, the largest files first; small files share a start."""
    sizes = {file: file.stat().st_size for file in files}
    count = max(1, min(most, len(files), -(-sum(sizes.values()) // QUICK)))
    groups: list[list[Path]] = [[] for _ in range(count)]
    weights = [0] * count
    for file in sorted(files, key=lambda one: (-sizes[one], str(one))):
        lightest = weights.index(min(weights))
        groups[lightest].append(file)
        weights[lightest] += sizes[file] + 1
    return groups
