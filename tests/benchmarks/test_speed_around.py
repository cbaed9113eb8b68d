"""Growth of preprocess, rates and the run without a change: what is measured, and what the table says of it."""

import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from benchmarks import dvc_no_change, preprocess_growth
from tasks.records import Example

ROOT = Path(__file__).resolve().parents[2]
SETTINGS: dict[str, Any] = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")


def growth(*seconds: float) -> list[dict[str, Any]]:
    counts = (10_000, 100_000, 1_000_000)
    return [
        {"peak_memory_mb": 60, "seconds": second, "sentences": count}
        for second, count in zip(seconds, counts, strict=False)
    ]


def report(**changed: Any) -> dict[str, Any]:
    found = {
        "growth": growth(0.8, 5.0, 50.0),
        "machine_line": "two cores",
        "no_change": {"ratio": 1.3, "repro_seconds": 1.08, "status_seconds": 0.83},
        "rates": {"tokenising": 21_000.0},
    } | changed
    return found | {"slope": preprocess_growth.slope(found["growth"])}


def test_slope_is_the_power_of_the_growth() -> None:
    assert preprocess_growth.slope(growth(0.8, 5.0, 50.0)) == pytest.approx(1.0)
    assert preprocess_growth.slope(growth(0.8, 5.0, 500.0)) == pytest.approx(2.0)
    with pytest.raises(ValueError, match="two sizes"):
        preprocess_growth.slope(growth(0.8))


def test_the_table_says_pass_and_fail() -> None:
    text = preprocess_growth.render(report())
    assert "| 1,000,000 sentences | 50.0 | 20,000 | 60 | pass (limit 1500 MB) |" in text
    assert "to the power 1.00 (100,000 to 1,000,000; linear is 1, limit 1.1): pass." in text
    assert "| tokenising | 21,000 | 20,000 | pass |" in text
    assert "`dvc status` 0.83 s, `dvc repro` 1.08 s, 1.30 times (limit 1.5): pass." in text
    assert "fail" not in text
    wrong = preprocess_growth.render(
        report(
            growth=growth(0.8, 5.0, 90.0),
            rates={"tokenising": 19_999.0},
            no_change={"ratio": 1.6, "repro_seconds": 1.6, "status_seconds": 1.0},
        )
    )
    assert wrong.count("**fail**") == 3
    assert "dvc" not in preprocess_growth.render(report(no_change=None))


def test_preprocess_is_run_and_weighed(tmp_path: Path) -> None:
    found = preprocess_growth.preprocess(tmp_path / "run", 300, SETTINGS)
    assert found["sentences"] == 300
    assert 0 < found["seconds"] < 60
    assert 10 < found["peak_memory_mb"] < 300
    assert (tmp_path / "run/data/prepared/train.jsonl").stat().st_size > 0


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no such luck"):
        preprocess_growth.run_alone([sys.executable, "-c", "raise SystemExit('no such luck')"], tmp_path)


def test_peak_memory_is_the_commands_own(tmp_path: Path) -> None:
    taking = "import time; taken = b'x' * 200_000_000; del taken; time.sleep(0.3)"
    _, peak = preprocess_growth.run_alone([sys.executable, "-c", taking], tmp_path)
    assert 200e6 < peak < 300e6
    _, little = preprocess_growth.run_alone([sys.executable, "-c", "import time; time.sleep(0.3)"], tmp_path)
    assert little < 50e6


def test_rates_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYON_NUM_THREADS", "1")  # put back after the benchmark has set it
    found = preprocess_growth.rates_of(tmp_path / "rates", 60, SETTINGS | {"compute": {"threads": 1}})
    assert list(found) == [
        "reading prepared examples",
        "reading raw columns",
        "reading raw JSON lines",
        "tokenising",
        "decoding",
        "decoding with a chain of tags",
    ]
    assert all(rate > 100 for rate in found.values())


def test_a_copy_of_the_pipeline_has_nothing_to_do(tmp_path: Path) -> None:
    found = dvc_no_change.time_commands(tmp_path / "pipeline", repeats=1)
    assert found["repro_seconds"] > 0
    assert found["ratio"] == pytest.approx(found["repro_seconds"] / found["status_seconds"])
    (tmp_path / "pipeline/params.yaml").write_text("seed: 2\n", encoding="utf-8")
    with pytest.raises(RuntimeError, match="dvc"):
        dvc_no_change._timed(tmp_path / "pipeline", "status")


def test_one_word_in_nine_stands_nowhere_else() -> None:
    examples = [Example(str(n), None, {"words": ["a"] * n}, ["O"] * n) for n in (1, 20, 0, 7, 17)]
    made = preprocess_growth.varied(examples)
    assert [len(example.inputs["words"]) for example in made] == [1, 20, 0, 7, 17]
    words = [word for example in made for word in example.inputs["words"]]
    assert [place for place, word in enumerate(words) if word != "a"] == [0, 9, 18, 27, 36]
    assert len(set(words)) == 6
