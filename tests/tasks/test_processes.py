"""Two processes over gloo against one, each a real run of the stage."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from ruamel.yaml import YAML
from safetensors.torch import load_file

from tasks import params, params_file, processes, records
from tasks.compute import Machine
from tasks.errors import UserError
from tasks.models import content_hash

ROOT = Path(__file__).parents[2]
WORDS = ["Angela", "Merkel", "visited", "Toyota", "in", "Nagoya", "the", "unbelievable", "harbourmaster", "of", "Graz"]
TAGS = ["B-PER", "I-PER", "O", "B-ORG", "O", "B-LOC", "O", "O", "O", "O", "B-LOC"]


@pytest.fixture
def project(tmp_path: Path, bert_folder: Path) -> Path:
    """A folder with examples of unequal lengths, of which the last step of an epoch has one alone, and params."""
    examples = [
        records.Example(f"a.conll:{n}", None, {"words": WORDS[: n + 1]}, TAGS[: n + 1]) for n in range(len(WORDS))
    ]
    (tmp_path / "prepared").mkdir()
    records.write_examples(tmp_path / "prepared/train.jsonl", examples)
    records.write_examples(tmp_path / "prepared/validation.jsonl", examples[5:])
    records.write_json(tmp_path / "prepared/labels.json", ["LOC", "ORG", "PER"])
    values: dict[str, Any] = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")
    values["finetune"] |= {"model": str(bert_folder), "revision": content_hash(bert_folder), "max_length": 48}
    values["finetune"] |= {"epochs": 3, "batch_size": 5, "window_overlap": 4, "head": "crf", "dropout": 0.0}
    values["compute"] |= {"device": "cpu", "precision": "fp32", "threads": 1}
    write(tmp_path, values)
    return tmp_path


def write(folder: Path, values: dict[str, Any]) -> None:
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(values, file)


def run(folder: Path, name: str, **changes: Any) -> subprocess.CompletedProcess[str]:
    values = YAML(typ="safe", pure=True).load(folder / "params.yaml")
    values["finetune"] |= changes
    write(folder, values)
    command = [sys.executable, "-m", "tasks.finetune", "--prepared", "prepared", "--model", f"{name}/model"]
    command += ["--history", f"{name}/history.csv", "--cost", f"{name}/cost.json"]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    (folder / name).mkdir()
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def history(folder: Path) -> list[list[float]]:
    lines = list(csv.reader((folder / "history.csv").read_text().splitlines()))
    return [[float(value) for value in line] for line in lines[1:]]


def test_two_processes_learn_what_one_learns(project: Path) -> None:
    alone, two = run(project, "alone"), run(project, "two", processes=2)
    assert (alone.returncode, two.returncode) == (0, 0), alone.stderr + two.stderr
    assert "it has no finetune.processes: 2 and no finetune.head: crf" in two.stderr
    assert two.stderr.count("epoch 1/3") == 1
    for one, other in zip(history(project / "alone"), history(project / "two"), strict=True):
        assert one == pytest.approx(other, abs=1e-5)
    weights = [load_file(project / name / "model/model.safetensors") for name in ("alone", "two")]
    for name, value in weights[0].items():
        torch.testing.assert_close(value, weights[1][name], atol=1e-5, rtol=1e-4)
    cards = [json.loads((project / name / "model/hone.json").read_text()) for name in ("alone", "two")]
    assert cards[0]["tokens"] == cards[1]["tokens"] > 0
    assert cards[0]["padded_tokens"] >= cards[1]["padded_tokens"]


def test_a_child_that_dies_ends_the_stage_with_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "orig_argv", [sys.executable, "-c", "print('no such luck'); raise SystemExit(3)"])
    with pytest.raises(UserError, match="process 2 of 2 ended with 3: no such luck"), processes.children(2):
        pass
    assert processes.MEETING not in processes.os.environ


def test_no_child_outlives_the_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    kept = subprocess.Popen
    monkeypatch.setattr(sys, "orig_argv", [sys.executable, "-c", "import time; time.sleep(60)"])
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: started.append(kept(*a, **k)) or started[-1])
    with pytest.raises(KeyError), processes.children(3):
        raise KeyError
    assert [child.returncode for child in started] == [-9, -9]


@pytest.mark.parametrize(
    ("changes", "device", "message"),
    [
        ({"max_minutes": 1.0}, "cpu", "does not go with finetune.max_minutes"),
        ({"batch_size": 1}, "cpu", "is more than finetune.batch_size: 1"),
        ({}, "mps", "not mps"),
        ({"processes": 4000, "batch_size": 4000}, "cpu", "more than the [0-9]+ cores here"),
        ({}, "cuda", "there are [0-9]+ GPUs"),
    ],
)
def test_what_does_not_go_together_is_refused(
    changes: dict[str, Any], device: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    values = params_file.load(ROOT / "params.yaml").model_dump()
    values["finetune"] |= {"processes": 2} | changes
    machine = Machine(torch.device(device), bf16=False, description=device)
    with pytest.raises(UserError, match=f"finetune.processes.*{message}"):
        processes.check(params.Params.model_validate(values), machine)


def test_one_process_is_never_refused() -> None:
    settings = params_file.load(ROOT / "params.yaml")
    processes.check(settings, Machine(torch.device("mps"), bf16=False, description="mps"))
