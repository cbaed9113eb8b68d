"""Where a run's results lie."""

from pathlib import Path

import pytest

from flows.dag import Stage
from flows.results import flat, metrics_files, metrics_table, out_file, report_file


def test_table_and_report_come_from_what_the_dag_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r").mkdir()
    (tmp_path / "r/report.md").write_text("# r")
    (tmp_path / "metrics.a.json").write_text('{"f1": 0.5, "per": {"ORG": 1}}')
    (tmp_path / "metrics.b.json").write_text('{"f1": 0.6}')
    metrics = ("metrics.a.json", "metrics.b.json", "metrics.gone.json")
    ordered = [Stage("s", "", (), ("r",), metrics, metrics, ())]
    assert list(metrics_files(ordered)) == ["a", "b"]
    assert metrics_table(ordered) == [
        {"metric": "f1", "a": 0.5, "b": 0.6},
        {"metric": "per.ORG", "a": 1, "b": ""},
    ]
    assert report_file(ordered, "report.md") == Path("r/report.md")
    assert report_file(ordered, "report.html") is None
    assert out_file(ordered, "r") == Path("r")
    assert out_file(ordered, "metrics.a.json") == Path("metrics.a.json")
    assert out_file(ordered, "metrics.gone.json") is None


def test_flat() -> None:
    assert flat({"a": {"b": [1, {"c": 2}]}, "d": "x"}) == {"a.b.0": 1, "a.b.1.c": 2, "d": "x"}
