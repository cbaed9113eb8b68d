"""What carries a fan-out: threads of this process, or Prefect's task runners for threads, Dask and Ray."""

import contextvars
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from flows.trials.attempt import attempt
from flows.trials.job import Job
from flows.trials.place import log_file
from flows.trials.trial import On
from tasks.errors import UserError


class Work(Protocol):
    """What a place is given to do, e.g. a Job."""

    def plain(self) -> dict[str, Any]:
        """As JSON takes it."""


Done = Callable[[dict[str, Any]], None]
Submit = Callable[[Work, Done], None]
Loop = Callable[[Submit, int], None]  # what to do with a way to submit, and how many trials at once find a place
PACKAGES = {"dask": "prefect_dask", "ray": "prefect_ray"}


def run_local(loop: Loop, places: int, work: Callable[[dict[str, Any]], dict[str, Any]] = attempt) -> None:
    """Threads of this process, without Prefect; ``work`` does what is submitted."""
    with ThreadPoolExecutor(places, thread_name_prefix="trial") as pool:

        def submit(job: Work, done: Done) -> None:
            pool.submit(work, job.plain()).add_done_callback(lambda future: done(_answer(future.result)))

        loop(submit, places)


def run_in_prefect(
    loop: Loop,
    places: int,
    *,
    on: On,
    address: str | None,
    group: str,
    url: str,
    threads: int,
    gpu: bool,
    name: str = "trials",
    task: Any = None,
) -> None:
    """A flow with a task run for each that is submitted, against the server at ``url``.

    Args:
        group: name of the flow's run.
        name: of the flow.
        task: Prefect's task that does it; None is a trial.

    Raises:
        UserError: the package for ``on`` is missing, or nothing answers at ``address``.
    """
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogHandler
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from flows.trials import carried
    from flows.trials.tasks import fan_out, trial

    with temporary_settings({PREFECT_API_URL: url}):
        runner, reached = _runner(on, address, places)

        def body() -> None:
            def submit(job: Work, done: Done) -> None:
                with _ray_options(on, threads, gpu):
                    future = (task or trial).submit(job.plain())
                future.add_done_callback(lambda ended: done(_answer(ended.result)))

            loop(submit, _ray_places(threads) if on == "ray" else reached)

        carried.BODY.append(body)
        try:
            fan_out.with_options(name=name, task_runner=runner, flow_run_name=group)()
        finally:
            EventsWorker.drain_all(timeout=5)  # before a temporary server goes
            APILogHandler().flush()


def _answer(result: Callable[[], Any]) -> dict[str, Any]:
    try:
        answer = result()
    except Exception as error:
        said = " ".join(str(error).split())
        return {"state": "failed", "error": f"{type(error).__name__}: {said}; run it again"}
    return answer if isinstance(answer, dict) else {"state": "failed", "error": f"no answer but {answer!r}"}


def check(on: On, address: str | None) -> None:
    """Refuse what cannot work before anything starts.

    Raises:
        UserError: a package is missing, or an address where none is used.
    """
    if on in PACKAGES and find_spec(PACKAGES[on]) is None:
        raise UserError(f"--on {on} needs {PACKAGES[on].replace('_', '-')}; pip install '.[{on}]' brings it")
    if address and on not in PACKAGES:
        raise UserError(f"--address {address} is for --on dask and --on ray; --on {on} runs on this machine")


def _runner(on: On, address: str | None, places: int) -> tuple[Any, int]:
    """Prefect's task runner, and how many trials find a place with it."""
    if on == "dask":
        from prefect_dask import DaskTaskRunner

        if address:
            return DaskTaskRunner(address=address), _reach_dask(address)
        own = {"n_workers": places, "threads_per_worker": 1, "dashboard_address": None}
        return DaskTaskRunner(cluster_kwargs=own), places
    if on == "ray":
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        from prefect_ray import RayTaskRunner

        quiet = {"log_to_driver": False, "include_dashboard": False}
        return RayTaskRunner(address=address, init_kwargs={"log_to_driver": False} if address else quiet), places
    from prefect.task_runners import ThreadPoolTaskRunner

    return ThreadPoolTaskRunner(max_workers=places), places


def _reach_dask(address: str) -> int:
    """Threads of all workers of a Dask cluster.

    Raises:
        UserError: nobody answers, or there is no worker.
    """
    from distributed import Client

    try:
        with Client(address, timeout="10s", set_as_default=False) as client:
            threads = sum(client.nthreads().values())
    except OSError as error:
        said = " ".join(str(error).split())
        raise UserError(
            f"--address {address}: no Dask scheduler answers ({said}); 'dask scheduler' starts one"
        ) from None
    if not threads:
        raise UserError(f"--address {address}: the Dask scheduler has no workers; 'dask worker {address}' starts one")
    return int(threads)


def _ray_places(threads: int) -> int:
    """How many trials a Ray cluster takes at once."""
    import ray

    return max(1, int(ray.cluster_resources().get("CPU", 1)) // max(1, threads))


def _ray_options(on: On, threads: int, gpu: bool) -> Any:
    from contextlib import nullcontext

    if on != "ray":
        return nullcontext()
    import ray
    from prefect_ray.context import remote_options

    has = ray.cluster_resources()
    wanted = {"num_cpus": min(threads, int(has.get("CPU", 1))), "max_retries": 3}
    return remote_options(**wanted, num_gpus=1) if gpu and has.get("GPU", 0) >= 1 else remote_options(**wanted)


def follow(log: Path, bar: Callable[[str], None]) -> Callable[[], None]:
    """Hand the end of a growing log to ``bar`` every few seconds, in a thread with this context; call it to end."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(5):
            if log.exists():
                with log.open("rb") as file:
                    file.seek(max(0, log.stat().st_size - 300))
                    bar(file.read().decode("utf-8", errors="replace"))

    threading.Thread(target=contextvars.copy_context().run, args=(look,), name="follow log", daemon=True).start()
    return over.set


def log_of(job: Job) -> Path:
    """Where the log of a trial is on a machine that sees the project."""
    return log_file(Path(job.root), job.trial["group"], job.trial["name"])
