"""Rows of answers become windows of time, and are compared with what the model answered to validation."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flows.watching import answers, moment, table, verdict, watched
from tasks.errors import UserError
from tasks.params import Params
from tasks.params_file import load

ROOT = Path(__file__).parents[2]
WORDS = ["Ann", "met", "Bob", "in", "Oslo", "."]
TAGS = ["B-PER", "O", "B-PER", "O", "B-LOC", "O"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A finished run: 100 sentences with two persons and a place."""
    folder = tmp_path / "data"
    (folder / "prepared").mkdir(parents=True)
    example = {"document": None, "inputs": {"words": WORDS}, "target": TAGS}
    for split in ("train", "validation"):
        lines = [json.dumps({"id": f"{split}:{number}", **example}) for number in range(100)]
        (folder / f"prepared/{split}.jsonl").write_text("\n".join(lines) + "\n")
    sure = [0.9, 1.0, 0.8, 1.0, 0.7, 1.0]
    lines = [
        json.dumps({"id": f"validation:{number}", "gold": TAGS, "predicted": TAGS, "confidence": sure})
        for number in range(100)
    ]
    (folder / "predictions.validation.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "calibration.json").write_text(json.dumps({"temperature": 1.0}))
    return folder


@pytest.fixture
def settings() -> Params:
    return load(ROOT / "params.yaml").model_copy(update={"task": "token_classification"})


def usual(time: Any) -> dict[str, Any]:
    entities = [
        {"type": "PER", "confidence": 0.9}, {"type": "PER", "confidence": 0.8}, {"type": "LOC", "confidence": 0.7},
    ]  # fmt: skip
    return {"time": time, "text": " ".join(WORDS), "entities": entities}


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_days_are_windows_and_the_newest_raises_the_alarm(data: Path, settings: Params, tmp_path: Path) -> None:
    odd = {"time": "2026-03-02T09:00:00+01:00", "text": "totally other content", "found": []}
    rows = [usual("2026-03-01T10:00:00") for _ in range(60)] + [odd] * 60 + [usual("2026-02-28T23:59:59Z")] * 10
    found = watched(settings, [written(tmp_path / "a.jsonl", rows)], data)
    assert [(one.name, one.sample.texts) for one in found.windows] == [
        ("2026-02-28 00:00", 10), ("2026-03-01 00:00", 60), ("2026-03-02 00:00", 60),
    ]  # fmt: skip
    few, same, other = found.windows
    assert few.findings == [] and same.findings and same.alarms == []
    assert {one.what for one in other.alarms} == {"labels", "unknown words", "length"}
    assert found.reference.confidence[:3] == [0.9, 0.8, 0.7]
    (said,) = verdict(found)
    assert "2026-03-02 00:00, 60 texts) has drifted. labels: " in said
    assert [row["window"] for row in table(found)] == ["validation", *(one.name for one in found.windows)]
    assert table(found)[3]["drifted"] == "labels, unknown words, length"


def test_rows_without_a_time_are_one_window(data: Path, settings: Params, tmp_path: Path) -> None:
    row = {"label": "spam", "confidence": 0.5}
    found = watched(settings, [written(tmp_path / "a.jsonl", [row] * 50)], data)
    assert found.last.name == "no time" and "surge of spam" in {one.what for one in found.last.alarms}


def test_few_texts_are_not_judged(data: Path, settings: Params, tmp_path: Path) -> None:
    found = watched(settings, [written(tmp_path / "a.jsonl", [usual(0)] * 49)], data)
    assert verdict(found) == [
        "The newest window (1970-01-01 00:00, 49 texts) has too few texts to judge (watch.minimum)."
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"text": "x"}, r"a.jsonl:1: no answer in this row"),
        ({"entities": ["PER"]}, r"a.jsonl:1: no answer in this row"),
        ({"entities": [], "time": "yesterday"}, r"a.jsonl:1: time 'yesterday' is neither ISO 8601"),
    ],
)
def test_bad_rows_are_named(data: Path, settings: Params, tmp_path: Path, row: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        watched(settings, [written(tmp_path / "a.jsonl", [row])], data)


def test_without_rows_or_a_run_it_says_so(data: Path, settings: Params, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing was predicted yet"):
        watched(settings, [written(tmp_path / "a.jsonl", [])], data)
    with pytest.raises(UserError, match="no finished run to compare with"):
        watched(settings, [], tmp_path / "nowhere")


def test_every_form_of_answer_is_read() -> None:
    assert answers({"entities": [{"type": "PER", "confidence": 0.5}]}, "x:1") == (["PER"], [0.5])
    assert answers({"found": [{"label": "PER", "confidence": 1}]}, "x:1") == (["PER"], [1.0])
    assert answers({"labels": [{"label": "a", "confidence": 0.1}, {"label": "b"}]}, "x:1") == (["a", "b"], [0.1])
    assert answers({"label": "a", "confidence": 0.9}, "x:1") == (["a"], [0.9])
    assert answers({"answers": [{"text": "Oslo", "confidence": 0.9}]}, "x:1") == (["answer"], [0.9])
    assert moment("2026-01-01T01:00:00+01:00", "x:1") == moment("2026-01-01T00:00:00", "x:1") == 1767225600.0
    assert moment(None, "x:1") is None
    with pytest.raises(UserError, match=r"x:1: time 1732492800000 .* are these milliseconds"):
        moment(1732492800000, "x:1")


def test_what_is_no_object_and_tasks_without_labels_are_refused(data: Path, settings: Params, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text("5\n")
    with pytest.raises(UserError, match=r"a\.jsonl:1: JSON, but no object"):
        watched(settings, [file], data)
    with pytest.raises(UserError, match="task: translation: its answers are texts"):
        watched(settings.model_copy(update={"task": "translation"}), [file], data)


FLOW = """
import json
from flows.server import temporary
from prefect.settings import PREFECT_API_URL, temporary_settings

with temporary() as url, temporary_settings({PREFECT_API_URL: url}):
    from flows.watch_flow import watch
    from prefect.artifacts import Artifact
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogHandler

    state = watch(["a.jsonl"], return_state=True)
    kept = Artifact.get("watch")
    EventsWorker.drain_all(timeout=5)  # while the server is there
    APILogHandler().flush()
    print(json.dumps([state.name, state.message, kept.description, str(kept.data)]))
"""


@pytest.mark.server
@pytest.mark.slow
def test_the_flow_leaves_a_table(data: Path, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    written(tmp_path / "a.jsonl", [{"label": "spam", "confidence": 0.5}] * 50)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT")}
    done = subprocess.run(
        [sys.executable, "-c", FLOW],
        cwd=tmp_path,
        env=kept | {"PREFECT_HOME": str(tmp_path / "prefect"), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    name, message, description, table_ = json.loads(done.stdout.splitlines()[-1])
    assert name == "Drifted" and "surge of spam" in message
    assert description == message and "surge of spam" in table_
