"""`hone watch`: the page, its words and exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest

import hone.watch as command
from flows.watching import Watched, Window
from tasks.scoring.drift import Finding, Sample

ODD = "<script>alert(1)</script>"


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Watched:
    """A reference and two windows, the newest of which has drifted; what the command gets."""
    monkeypatch.chdir(tmp_path)
    sample = Sample(60)
    sample.labels.update({ODD: 50, "LOC": 10})
    steady = Finding("labels", "PER 60.0 %", "PER 61.0 %", 0.01, 0.9)
    surge = Finding(f"surge of {ODD}", "1.0 %", "83.3 %", 0.823, 0.0001, drifted=True)
    windows = [Window(None, sample, [steady]), Window(None, sample, [steady, surge])]
    made = Watched(Sample(100), windows)
    monkeypatch.setattr(command, "watched", lambda *_: made)
    return made


def call(**changes: Any) -> int:
    asked = {"run": False, "deployment": "", "artifact": False, "gate": False, "as_json": False}
    return command.watch(None, [], **{**asked, **changes})  # type: ignore[arg-type]


def test_the_page_is_whole_and_escaped(found: Watched, capsys: pytest.CaptureFixture[str]) -> None:
    assert call() == 0
    said = capsys.readouterr().out
    assert "has drifted." in said and "page  data/loop/watch.html" in said
    page = Path("data/loop/watch.html").read_text()
    assert ODD not in page and "surge of &lt;script&gt;" in page and "http" not in page.replace("http://www.w3.org", "")
    assert page.count("<svg") == 1  # only labels were judged
    assert "drifted" in Path("data/loop/watch.md").read_text()


def test_json_and_the_gate(found: Watched, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(as_json=True, gate=True) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["drifted"] == [f"surge of {ODD}"] and len(told["windows"]) == 3


def test_run_follows_an_alarm_only(found: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("hone.run.run", lambda **options: asked.append(options) or 0)
    assert call(run=True) == 0 and asked == [{"engine": "local", "stages": [], "force": False}]
    monkeypatch.setattr(command, "watched", lambda *_: Watched(found.reference, found.windows[:1]))
    assert call(run=True, gate=True) == 0 and len(asked) == 1
