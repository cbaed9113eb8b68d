"""prefect.yaml as it is, and a server that goes away, without any server."""

import inspect
from pathlib import Path
from typing import Any

import pytest

from flows import serving
from flows.serving import planned, serve
from tasks.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
URL = "http://127.0.0.1:1/api"


def test_every_deployment_is_a_flow_with_parameters_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found = {one.title: one for one in planned()}
    assert {name: one.spoken for name, one in found.items()} == {
        "scheduled/nightly": "by cron '0 3 * * *' (UTC)",
        "scheduled/new-data": "every 900 seconds",
        "sweep/sweep": "on demand",
        "watch/drift": "on demand",
    }
    for title, one in found.items():
        assert one.flow.name == title.partition("/")[0]
        assert set(one.parameters) == set(inspect.signature(one.flow.fn).parameters)


def test_a_deployment_that_cannot_be_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plan = tmp_path / "prefect.yaml"
    for text, message in (
        ("deployments: []", "prefect.yaml: no deployments"),
        ("deployments: [{name: nightly}]", "needs name and entrypoint"),
        ("deployments: [{name: n, entrypoint: a.b, schedules: [{cron: never}]}]", "'never' is not understood"),
    ):
        plan.write_text(text)
        with pytest.raises(UserError, match=message):
            planned()


def test_a_server_that_went_away_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("PYTHONPATH", "HONE_STARTER", "PREFECT_API_URL"):
        monkeypatch.setenv(name, "")  # what serve sets ends with this test
    started = 0
    looks = iter([False, False, True])

    class Runner:
        async def start(self) -> None:
            nonlocal started
            started += 1
            if started == 1:
                raise RuntimeError("Service exceeded error threshold.")

    def runner(deployments: list[Any]) -> Any:
        return Runner()

    monkeypatch.setattr(serving, "_runner", runner)
    monkeypatch.setattr(serving, "answers", lambda url: next(looks))
    monkeypatch.setattr(serving, "LOOK", 0)
    monkeypatch.setattr(serving.signal, "signal", lambda *_: None)
    serve([], URL)
    assert started == 2
    assert f"the Prefect server at {URL} is gone (RuntimeError); waiting for it" in capsys.readouterr().err


def test_an_error_while_the_server_answers_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONPATH", "HONE_STARTER", "PREFECT_API_URL"):
        monkeypatch.setenv(name, "")

    def broken(deployments: list[Any]) -> Any:
        raise RuntimeError("a deployment it does not like")

    monkeypatch.setattr(serving, "_runner", broken)
    monkeypatch.setattr(serving, "answers", lambda url: True)
    monkeypatch.setattr(serving.signal, "signal", lambda *_: None)
    with pytest.raises(RuntimeError, match="does not like"):
        serve([], URL)
