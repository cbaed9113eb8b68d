"""The comparison: same settings on both sides, an interval over the seeds, nothing dropped, data/ untouched."""

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from benchmarks import compare_seeds, trainer

ROOT = Path(__file__).resolve().parents[2]
SETTINGS: dict[str, Any] = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")


def pair(seed: int, hone: float, other: float) -> dict[str, Any]:
    figures = {"seed": seed, "hone": hone, "trainer": other, "entities": 836, "trainer_entities": 836}
    return figures | {"hone_seconds": 61.2, "trainer_seconds": 70.9}


def test_every_value_of_finetune_reaches_the_trainer() -> None:
    settings = SETTINGS | {"seed": 7}
    given = compare_seeds.trainer_options(settings)
    values = dict(zip(given[::2], given[1::2], strict=True))
    for name, value in settings["finetune"].items():
        # the Trainer cuts; the embedded model has no revision; the others stand for what a Trainer does anyway
        if name not in ("revision", "window_overlap", "lora", *compare_seeds.NEUTRAL):
            assert values[f"--{name.replace('_', '-')}"] == str(value)
    assert (values["--seed"], values["--threads"]) == ("7", str(settings["compute"]["threads"]))
    source = Path(trainer.__file__).read_text(encoding="utf-8")
    assert all(f'"{option}"' in source for option in values)


@pytest.mark.parametrize(
    ("name", "value"), [("head", "crf"), ("frozen_layers", 2), ("lora", {"rank": 8}), ("max_steps", 10)]
)
def test_what_the_trainer_cannot_do_is_not_compared(name: str, value: Any) -> None:
    settings = SETTINGS | {"seed": 7, "finetune": SETTINGS["finetune"] | {name: value}}
    with pytest.raises(ValueError, match=f"has no {name}"):
        compare_seeds.trainer_options(settings)


def test_a_revision_of_the_hub_reaches_the_trainer() -> None:
    settings = SETTINGS | {"finetune": SETTINGS["finetune"] | {"model": "bert-base-cased", "revision": "abc"}}
    given = compare_seeds.trainer_options(settings)
    assert given[given.index("--revision") + 1] == "abc"


def test_interval_is_students_t() -> None:
    low, high = compare_seeds.interval([1.0, 2.0, 3.0, 4.0, 5.0]) or (0.0, 0.0)
    half = 2.776445 * 2.5**0.5 / 5**0.5  # t(0.975, 4) of the printed tables
    assert (low, high) == pytest.approx((3 - half, 3 + half), abs=1e-5)
    assert compare_seeds.interval([1.0]) is None


def test_summary_and_table_drop_nothing() -> None:
    report = compare_seeds.summary([pair(1, 0.58, 0.57), pair(2, 0.55, 0.58), pair(3, 0.0, 0.59)])
    assert report["hone_mean"] == pytest.approx((0.58 + 0.55) / 3)
    assert report["difference"] == pytest.approx((0.01 - 0.03 - 0.59) / 3)
    low, high = report["difference_interval_95"]
    assert low < report["difference"] < high
    text = compare_seeds.table(report)
    assert "| 1 | 58.00 | 57.00 | +1.00 | 61 | 71 |" in text
    assert "| 3 | 0.00 | 59.00 | -59.00 | 61 | 71 |" in text
    assert "over 3 seeds" in text
    assert "One seed: no interval." in compare_seeds.table(compare_seeds.summary([pair(1, 0.5, 0.5)]))


def test_different_gold_is_refused() -> None:
    with pytest.raises(ValueError, match="836 gold entities, the Trainer 835"):
        compare_seeds.summary([pair(1, 0.5, 0.5) | {"trainer_entities": 835}])


def test_report_is_written_with_every_pair(tmp_path: Path) -> None:
    compare_seeds.write(tmp_path, compare_seeds.summary([pair(1, 0.5, 0.4), pair(2, 0.5, 0.6)]))
    report = json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8"))
    assert [entry["seed"] for entry in report["pairs"]] == [1, 2]
    assert (tmp_path / "comparison.md").read_text(encoding="utf-8").count("\n| ") == 3  # two seeds and the mean


def test_stages_run_as_dvc_would_but_in_a_folder_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, Path]] = []

    def record(command: list[str], *, cwd: Path, **_: Any) -> None:
        ran.append((command[-1], cwd))

    monkeypatch.setattr(compare_seeds.subprocess, "run", record)
    workspace = compare_seeds.make_workspace(tmp_path, SETTINGS["finetune"]["model"])
    compare_seeds.write_params(workspace, SETTINGS | {"seed": 4})
    for stage in ("preprocess", "finetune", "evaluate"):
        compare_seeds.run_stage(workspace, stage, SETTINGS)
    assert [command.split(" --")[0] for command, _ in ran] == [
        "tasks/python -m tasks.preprocess",
        "tasks/python -m tasks.finetune",
        "tasks/python -m tasks.evaluate",
    ]
    assert all(cwd == tmp_path and "$" not in command for command, cwd in ran)
    assert (tmp_path / "tasks/python").exists()
    written = YAML(typ="safe", pure=True).load(tmp_path / "params.yaml")
    assert written == SETTINGS | {"seed": 4}
