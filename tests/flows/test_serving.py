"""`hone schedule` against a real server: runs start by themselves, end as they should, and outlive restarts."""

import time
from typing import Any

import psutil
import pytest

pytestmark = [pytest.mark.server, pytest.mark.slow]


def test_schedules_run_publish_refuse_and_outlive_a_restart(prefect: Any, team: Any) -> None:
    server = prefect.serve()
    served = prefect.start("schedule", "hone", "schedule")
    found = prefect.wait(lambda: len(prefect.deployments()) == 4 and prefect.deployments(), "the deployments")
    assert set(found) == {"nightly", "new-data", "sweep", "drift"}
    assert [each["concurrency_options"]["collision_strategy"] for each in found.values()] == ["CANCEL_NEW"] * 4
    other = team.nightly.hone("server", "--port", "4")
    assert f"a server of this project runs already: {prefect.url}" in other.stderr

    # New data is looked for, by itself.
    (run, *_) = prefect.wait(lambda: prefect.runs("new-data", "Unchanged"), "a look for new data")
    assert run["auto_scheduled"] and "data/raw is what the last run had" in run["state"]["message"]

    # A better model goes out, a worse one does not, and the state says why.
    team.change("rate: 3.0e-4", "rate: 1.0e-3")
    name, message = prefect.ending(prefect.ordered("nightly"))
    assert (name, message[:23]) == ("Published", "hone/nightly is at " + team.published()[:4])
    assert [one["key"] for one in prefect.ask("/artifacts/filter") if one["key"] == "verdict"]
    good = team.published()
    team.change("rate: 1.0e-3", "rate: 3.0e-3")
    name, message = prefect.ending(prefect.ordered("nightly"))
    assert (name, message[:37]) == ("Failed", "gate.no_loss: entity_f1 is worse, -0.")
    assert team.published() == good

    # While one trains no other does.
    hold, at_work = team.folder / "hold", team.folder / "hold.at-work"
    at_work.unlink()
    hold.touch()
    team.change("rate: 3.0e-3", "rate: 1.0e-3")
    team.change("seed: 1 ", "seed: 2 ")
    first = prefect.ordered("nightly")
    prefect.wait(at_work.exists, "a run that trains")
    assert prefect.ending(prefect.ordered("nightly")) == ("Cancelled", "Deployment concurrency limit reached.")
    (run, *_) = prefect.wait(lambda: prefect.runs("new-data", "Skipped"), "a look while another run trains")
    assert "another scheduled run (process " in run["state"]["message"]

    # A run is cancelled as the server's page does it: nothing of it trains on.
    at_work.unlink()
    cancel = {"state": {"type": "CANCELLING", "name": "Cancelling"}, "force": False}
    prefect.ask(f"/flow_runs/{first}/set_state", cancel)
    assert prefect.ending(first)[0] == "Cancelled"

    # Server and schedules die in the middle of a run; started again, they go on and nothing is missing.
    prefect.ordered("nightly")
    prefect.wait(at_work.exists, "a run that trains")
    stage = int(at_work.read_text())
    served.kill()
    server.kill()
    served.wait()
    server.wait()
    prefect.wait(lambda: not psutil.pid_exists(stage), "the end of its stage")
    hold.unlink()
    prefect.serve()
    served = prefect.start("schedule", "hone", "schedule")
    assert not any(each["paused"] for each in prefect.deployments().values())
    since = time.monotonic()
    while (name := prefect.ending(prefect.ordered("nightly"))[0]) == "Cancelled":  # until the dead run's lease ends
        assert time.monotonic() - since < 360
        time.sleep(3)
    assert name == "Published"
    assert team.published() != good

    # The end of the command leaves the schedules on.
    assert prefect.end(served) == 0
    assert not any(each["paused"] for each in prefect.deployments().values())
    assert all(one["active"] for each in prefect.deployments().values() for one in each["schedules"])
