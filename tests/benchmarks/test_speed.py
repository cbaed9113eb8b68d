"""The paired run: verdicts, the void rule, what the table says, and both sides on a toy model."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from ruamel.yaml import YAML
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from benchmarks import corpora, machine, opponents, speed, speed_table
from tasks.models import content_hash

ROOT = Path(__file__).resolve().parents[2]
SETTINGS: dict[str, Any] = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")


def side(speed: float, memory: int = 1000) -> dict[str, Any]:
    return {
        "arguments": {"bf16": True},
        "attention": "eager",
        "attention_dropout": 0.0,
        "dropout": 0.1,
        "embedding_rows_used": 6000,
        "flops_per_step": 20e9,
        "peak_memory_mb": memory,
        "sentences_per_second": speed,
        "sub_words_per_sentence": 19.2,
        "updated_parameters": 12_000_000,
    }


def turn(strong: float, hone: float, memory: int = 1000) -> dict[str, dict[str, Any]]:
    rates = {"memory_rate": 16e9, "product_rate": 330e9}
    return {
        "default": side(28.9),
        "hone-16": side(hone, memory),
        "hone-8": side(130.0),
        "padded": side(9.9),
        "roof": rates,
        "strong": side(strong),
    }


def report(*turns: dict[str, dict[str, Any]], comparable: bool = True) -> dict[str, Any]:
    found = {
        "memory": speed_table.memory(turns),
        "opponents": speed_table.compare(turns, comparable=comparable),
        "roof": speed_table.under_roof(turns),
        "rounds": len(turns),
    }
    settings = {"seed": 1}
    return {
        "corpora": {"conll": found},
        "machine_line": "two cores",
        "references_hold": comparable,
        "settings": settings,
    }


def test_an_opponent_without_the_machine_voids_the_run() -> None:
    strong = opponents.OPPONENTS["strong"]
    limit = 0.85 * strong.reference
    assert speed_table.void_reason(strong, limit + 0.1, comparable=True) is None
    assert "15 % below 70" in (speed_table.void_reason(strong, limit - 0.1, comparable=True) or "")
    assert speed_table.void_reason(strong, 1.0, comparable=False) is None


def test_floors_and_references_are_the_agreed_ones() -> None:
    agreed = {name: (one.batch, one.floor, one.aim, one.reference) for name, one in opponents.OPPONENTS.items()}
    assert agreed == {
        "padded": (16, 11.0, 15.0, 9.9),
        "default": (8, 4.0, 5.0, 28.9),
        "strong": (16, 1.6, 2.0, 70.0),
    }


def test_ratios_are_of_the_same_round_and_batch() -> None:
    found = speed_table.compare([turn(70, 140), turn(80, 120), turn(60, 132)], comparable=True)
    assert found["strong"]["ratios"] == [2.0, 1.5, 2.2]
    assert found["strong"]["ratio"] == 2.0
    assert found["default"]["ratio"] == pytest.approx(130 / 28.9)
    assert found["padded"]["ratio"] == pytest.approx(132 / 9.9)
    assert all(one["passed"] and not one["void"] for one in found.values())


def test_the_table_shows_verdicts_and_arguments() -> None:
    text = speed_table.render(report(turn(70, 150)))
    assert (
        "| conll | strong: group_by_length, bf16 | 70.0 | 150.0 | 16 | 2.14x | 1.6x | 2x | pass, aim reached |" in text
    )
    assert (
        "| conll | default: as run_ner.py comes: dynamic padding, fp32 | 28.9 | 130.0 | 8 | 4.50x | 4x | 5x | pass |"
        in text
    )
    assert "- strong: `TrainingArguments(bf16=True)`; eager attention, dropout 0.1, of attention 0" in text
    # 20 GFLOP / 330 GFLOP/s + 28 * 12e6 / 16 GB/s = 60.6 + 21 ms, of 16 / 150 = 106.7 ms
    assert "| conll | 106.7 | 81.6 | 77 % | 60 % | 75 % | pass, aim reached | 330 | 16.0 | 20.0 | 12.00 |" in text
    assert "| conll | process | 1000 | 1000 | pass |" in text
    assert "Void" not in text
    assert "missed" not in text


def test_what_was_missed_is_named() -> None:
    found = report(turn(70, 100, memory=1001))
    assert speed_table.failures(found) == ["conll: padded", "conll: strong", "conll: roof", "conll: memory"]
    assert speed_table.voids(found) == []
    assert "**Floor missed**: conll: strong" in speed_table.render(found)


def test_a_void_run_says_so_and_other_machines_have_no_reference() -> None:
    found = report(turn(50, 150))
    assert len(speed_table.voids(found)) == 1
    assert "| void |" in speed_table.render(found)
    elsewhere = report(turn(50, 150), comparable=False)
    assert speed_table.voids(elsewhere) == []
    assert "none could be voided" in speed_table.render(elsewhere)


def test_one_opponent_alone_needs_no_roof_or_memory() -> None:
    only = {"default": side(28.9), "hone-8": side(130.0), "roof": {"memory_rate": 1e10, "product_rate": 1e11}}
    text = speed_table.render(report(only))
    assert "default" in text
    assert "roof" not in text
    assert "peak memory" not in text


def test_memory_of_the_device_counts_too() -> None:
    one = turn(70, 150)
    one["hone-16"]["peak_device_memory_mb"], one["strong"]["peak_device_memory_mb"] = 400, 300
    found = speed_table.memory([one])
    assert found is not None and not found["passed"]


def test_the_machine_is_described() -> None:
    here = machine.describe("cpu", 2)
    assert here.cores >= 1
    assert "2 threads" in here.line() and "torch" in here.line()
    zen4 = dataclasses.replace(here, zen4=True, device="cpu", threads=2)
    assert zen4.comparable()
    assert not dataclasses.replace(zen4, threads=4).comparable()
    assert not dataclasses.replace(zen4, device="cuda").comparable()
    assert json.loads(json.dumps(here.plain()))["device"] == "cpu"


def test_params_can_be_set_and_only_those() -> None:
    settings = {"compute": {"threads": 2}, "seed": 1}
    speed.assign(settings, "compute.threads=4")
    speed.assign(settings, "seed=7")
    assert settings == {"compute": {"threads": 4}, "seed": 7}
    for wrong in ("compute.thread=4", "seed.x=1", "seed"):
        with pytest.raises(SystemExit, match=r"params\.yaml has no"):
            speed.assign(settings, wrong)


def test_hone_meets_the_opponents_of_its_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def child(words: list[str]) -> dict[str, Any]:
        calls.append(words)
        if words[0] == "hone_side":
            params = YAML(typ="safe").load(Path(words[2]) / "params.yaml")
            words.append(str(params["finetune"]["batch_size"]))
            assert (Path(words[2]) / "data/prepared").resolve() == tmp_path.resolve()
        return {"sentences_per_second": 1.0}

    monkeypatch.setattr(speed, "child", child)
    here = dataclasses.replace(machine.describe("cpu", 2), bf16=False)
    sides = speed.one_round(tmp_path, tmp_path, SETTINGS, list(opponents.OPPONENTS), speed.STEPS, here)
    assert list(sides) == ["roof", "strong", "hone-16", "padded", "hone-8", "default"]
    assert [words[-1] for words in calls if words[0] == "hone_side"] == ["16", "8"]
    assert all("--no-bf16" in words for words in calls if words[0] == "opponents")
    assert "--fp32" in calls[0]


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Settings with a toy encoder in a folder, and a workspace with sentences."""
    folder = tmp_path_factory.mktemp("toy")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *sorted({word for word, _ in corpora.shipped_stream()})]
    backend = Tokenizer(models.WordPiece({word: at for at, word in enumerate(vocabulary)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    backend.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    )
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=128,
    )
    BertModel(config).save_pretrained(folder / "encoder")
    tokenizer.save_pretrained(folder / "encoder")
    corpora.write_prepared(folder / "data/prepared", 60)
    settings = SETTINGS | {
        "compute": SETTINGS["compute"] | {"device": "cpu", "precision": "fp32", "threads": 1},
        "finetune": SETTINGS["finetune"]
        | {"batch_size": 4, "model": "encoder", "revision": content_hash(folder / "encoder")},
    }
    speed.write_params(folder, settings)
    return {"folder": folder, "settings": settings}


@pytest.mark.parametrize("name", sorted(opponents.OPPONENTS))
def test_a_plain_trainer_is_timed(name: str, toy: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(toy["folder"])
    opponent = dataclasses.replace(opponents.OPPONENTS[name], batch=4)
    settings = toy["settings"] | {"finetune": toy["settings"]["finetune"] | {"revision": "embedded"}}
    threads = torch.get_num_threads()
    found = opponents.run(opponent, Path("data/prepared"), settings, warmup=2, steps=5, bf16=False)
    torch.set_num_threads(threads)
    assert found["measured_steps"] == len(found["step_sizes"]) == 5
    assert found["sentences_per_second"] > 0
    assert found["arguments"]["per_device_train_batch_size"] == 4
    assert found["arguments"]["num_train_epochs"] == settings["finetune"]["epochs"]
    assert found["arguments"]["bf16"] is False
    assert found["attention_dropout"] == (0.0 if name == "strong" else 0.1)
    if name == "padded":
        assert set(found["step_sizes"]) == {4 * 128} and found["mean_size"] == 4 * 128
    else:
        assert len(set(found["step_sizes"])) > 1 and found["mean_size"] < 4 * 100


def test_hones_stage_is_timed(toy: dict[str, Any]) -> None:
    command = [sys.executable, "-m", "benchmarks.hone_side", "--workspace", str(toy["folder"])]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*command, "--warmup", "2", "--steps", "6"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["measured_steps"] == len(found["step_sizes"]) == 6
    assert found["mean_size"] == pytest.approx(4 * found["sub_words_per_sentence"], rel=0.01)
    assert found["machine"].endswith("1 threads, fp32")
    assert found["flops_per_step"] > 0
    assert not (toy["folder"] / "data/model").exists()  # it ended before an epoch did
    too_many = [*command, "--warmup", "2", "--steps", "13"]
    done = subprocess.run(too_many, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode != 0
    assert "too short for 15" in done.stderr
