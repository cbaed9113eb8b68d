"""Many files: side by side on this machine, on a real Dask scheduler with two workers and on a local Ray."""

import gzip
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.predicting import QUICK, _groups

ROOT = Path(__file__).resolve().parents[2]
DASK = [sys.executable, "-m", "dask"]
WORKER = ["--nthreads", "1", "--no-nanny", "--host", "127.0.0.1"]
WORDS = ["ann", "met", "bob", "in", "graz", "."]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with a tiny model that nobody trained, and three files to read."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast

    project = tmp_path / "project"
    model = project / "data/model"
    model.mkdir(parents=True)
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS]
    backend = Tokenizer(models.WordPiece({name: number for number, name in enumerate(names)}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    special = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=backend, **special).save_pretrained(model)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    config = BertConfig(vocab_size=len(names), max_position_embeddings=64, num_labels=3, **sizes)
    BertForTokenClassification(config).save_pretrained(model)
    options = {"context": "none", "format": "auto", "scheme": "auto", "tag_column": -1, "tag_field": "tags"}
    options |= {"spans_field": "auto", "text_field": "text", "token_column": 0, "token_field": "tokens"}
    card = {"classes": ["O", "B-PER", "I-PER"], "features": "last", "head": "linear", "max_length": 48}
    (model / "hone.json").write_text(json.dumps({**card, "options": options, "window_overlap": 8}))
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    assert "threads: 2" in text and "device: auto" in text
    text = text.replace("threads: 2", "threads: 1").replace("device: auto", "device: cpu")
    (project / "params.yaml").write_text(text, encoding="utf-8")
    (project / "dvc.yaml").write_text("stages: {}\n")
    (project / "a.txt").write_text("Ann met Bob .\nBob in Graz\n" * 300)
    (project / "b.csv.gz").write_bytes(gzip.compress(b"id,text\n1,Ann in Graz\n2,Bob met\n"))
    (project / "c.jsonl").write_text('{"text": "Graz met Ann"}\n')
    return project


def environment(folder: Path) -> dict[str, str]:
    away = ("PREFECT", "DVC", "HONE", "RAY", "DASK")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(away)}
    return kept | {
        "PYTHONPATH": str(ROOT),
        "PREFECT_HOME": str(folder.parent / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "NO_COLOR": "1",
    }


def predict(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hone", "predict", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=300, check=False
    )


def outputs(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def scheduler(folder: Path) -> Iterator[str]:
    """The address of a Dask scheduler on loopback with two workers."""
    file = folder.parent / "scheduler.json"
    common = ["--scheduler-file", str(file), "--no-dashboard"]
    commands = [["scheduler", "--host", "127.0.0.1", "--port", "0", *common], *[["worker", *common, *WORKER]] * 2]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
    started = [
        subprocess.Popen([*DASK, *one], cwd=folder.parent, env=environment(folder), **quiet)  # type: ignore[call-overload]
        for one in commands
    ]
    try:
        end = time.monotonic() + 60
        while not (file.exists() and file.stat().st_size) and time.monotonic() < end:
            time.sleep(0.1)
        yield json.loads(file.read_text())["address"]
    finally:
        for process in started:
            process.kill()
            process.wait()


def test_each_file_is_answered_and_a_second_run_goes_on(folder: Path) -> None:
    (folder / "bad.jsonl").write_text('{"text": "Ann"}\n{"text": 7}\n')
    names = ["a.txt", "bad.jsonl", "b.csv.gz", "c.jsonl"]
    done = predict(folder, *names, "--output-dir", "out")
    assert done.returncode == 1
    assert "bad.jsonl:2: 'text' holds 7, which is neither a text nor a list of words" in done.stderr
    written = outputs(folder / "out")
    assert set(written) == {"a.jsonl", "b.csv.gz", "c.jsonl", "bad.jsonl.part"}
    assert len(written["a.jsonl"].splitlines()) == 600
    header, first, *_ = gzip.decompress(written["b.csv.gz"]).decode().splitlines()
    assert header == "id,text,predicted" and "entities" in first
    (folder / "bad.jsonl").write_text('{"text": "Ann"}\n')
    again = predict(folder, *names, "--output-dir", "out")
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("is there already, left as it is") == 3 and "bad.jsonl: 1 records" in again.stderr
    after = outputs(folder / "out")
    assert set(after) == {"a.jsonl", "b.csv.gz", "c.jsonl", "bad.jsonl"}
    assert all(after[name] == written[name] for name in ("a.jsonl", "b.csv.gz", "c.jsonl"))


def test_what_cannot_work_is_refused_before_anything_starts(folder: Path) -> None:
    (folder / "deep").mkdir()
    shutil.copy(folder / "c.jsonl", folder / "deep")
    for arguments, words in (
        (["c.jsonl", "deep/c.jsonl", "--output-dir", "out"], "has the same name"),
        (["c.jsonl", "none.txt", "--output-dir", "out"], "none.txt: no such file"),
        (["c.jsonl", "--on", "ray"], "--on and --address are for many files"),
        (["--output-dir", "out"], "--output-dir takes files"),
        (["c.jsonl", "--output-dir", "out", "--address", "tcp://127.0.0.1:1"], "is for --on dask and --on ray"),
    ):
        done = predict(folder, *arguments)
        assert done.returncode == 1 and words in done.stderr, done.stderr
    assert not (folder / "out").exists()


def test_groups_are_of_like_size_and_small_files_share_a_start(tmp_path: Path) -> None:
    files = []
    for number, size in enumerate((QUICK, QUICK, 5, QUICK // 2, QUICK // 2, 7)):
        files.append(tmp_path / f"{number}.txt")
        with files[-1].open("wb") as stream:
            stream.truncate(size)
    groups = _groups(files, 3)
    assert sorted(file for group in groups for file in group) == files
    assert sorted(sum(file.stat().st_size for file in group) for group in groups) == [QUICK, QUICK + 5, QUICK + 7]
    assert _groups(files[2:3] + files[5:], 8) == [[files[5], files[2]]]


@pytest.mark.slow
@pytest.mark.server
def test_dask_answers_as_this_machine_does(folder: Path, scheduler: str) -> None:
    names = ["a.txt", "b.csv.gz", "c.jsonl"]
    assert predict(folder, *names, "--output-dir", "here").returncode == 0
    done = predict(folder, *names, "--output-dir", "there", "--on", "dask", "--address", scheduler)
    assert done.returncode == 0, done.stderr
    assert outputs(folder / "there") == outputs(folder / "here")


@pytest.mark.slow
@pytest.mark.server
def test_ray_answers_as_this_machine_does(folder: Path) -> None:
    names = ["a.txt", "b.csv.gz", "c.jsonl"]
    assert predict(folder, *names, "--output-dir", "here").returncode == 0
    done = predict(folder, *names, "--output-dir", "there", "--on", "ray")
    assert done.returncode == 0, done.stderr
    assert outputs(folder / "there") == outputs(folder / "here")
