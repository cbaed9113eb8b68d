"""The deployments of prefect.yaml in a process work pool, with a worker and a server in PostgreSQL."""

from typing import Any

import pytest

pytestmark = [pytest.mark.server, pytest.mark.slow]


def test_a_worker_runs_them_and_may_be_restarted(prefect: Any, team: Any, postgres: str) -> None:
    database = postgres.replace("postgresql+psycopg", "postgresql+asyncpg")
    server = prefect.serve(PREFECT_SERVER_DATABASE_CONNECTION_URL=database)
    more = {name: value for name, value in prefect.environment.items() if name.startswith("PREFECT")}
    for command in (("work-pool", "create", "hone", "--type", "process"), ("deploy", "--all")):
        done = team.nightly.call("prefect", *command, **more)
        assert done.returncode == 0, done.stdout + done.stderr
    found = prefect.deployments()
    assert {name: each["work_pool_name"] for name, each in found.items()} == dict.fromkeys(
        ("nightly", "new-data", "sweep", "drift"), "hone"
    )
    worker = prefect.start("worker", "prefect", "worker", "start", "--pool", "hone")
    team.change("rate: 3.0e-4", "rate: 1.0e-3")
    assert prefect.ending(prefect.ordered("nightly"))[0] == "Published"
    good = team.published()

    # Both go in the middle of a run and come back: the schedules are on, and the work gets done.
    hold, at_work = team.folder / "hold", team.folder / "hold.at-work"
    at_work.unlink()
    hold.touch()
    team.change("seed: 1 ", "seed: 2 ")
    prefect.ordered("nightly")
    prefect.wait(at_work.exists, "a run that trains")
    prefect.end(worker)
    prefect.end(server)
    hold.unlink()
    prefect.serve(PREFECT_SERVER_DATABASE_CONNECTION_URL=database)
    prefect.start("worker", "prefect", "worker", "start", "--pool", "hone")
    assert not any(each["paused"] for each in prefect.deployments().values())
    ended = ("Published", "Unchanged")  # the slot of the run that died is free when its lease ends, after five minutes
    prefect.wait(lambda: prefect.ending(prefect.ordered("nightly"))[0] in ended, "the next run", seconds=420)
    assert team.published() != good
