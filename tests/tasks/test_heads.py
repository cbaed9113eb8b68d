"""Heads and features, each trained, saved and loaded, through finetune and Predictor as the pipeline uses them."""

import json
import re
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel, BertConfig, BertModel, pipeline

from tasks import adapters, params, params_file, records
from tasks.batches import collate
from tasks.compute import Machine
from tasks.dropout import set_dropout
from tasks.encoding import encode_words
from tasks.errors import UserError
from tasks.fast_engine import FastEngine
from tasks.finetune import finetune
from tasks.heads import HEAD, Tagger, chain_of, hidden_states, with_head
from tasks.models import content_hash, load_tokenizer
from tasks.objectives import mean_cross_entropy
from tasks.plain_engine import PlainEngine
from tasks.predictor import Predictor
from tasks.scoring.selection import entity_f1

ROOT = Path(__file__).parents[2]
CPU = Machine(torch.device("cpu"), bf16=False, description="cpu")
ADAPTER = adapters.find("token_classification")
TEXTS = {
    "Angela Merkel visited Toyota in Nagoya": "B-PER I-PER O B-ORG O B-LOC",
    "the unbelievable harbourmaster of Graz": "O O O O B-LOC",
    "Kestrel Freight moves boxes": "B-ORG I-ORG O O",
    "Graz visited Kestrel Freight": "B-LOC O B-ORG I-ORG",
}


@pytest.fixture(scope="module")
def deep_folder(bert_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy BERT with four layers."""
    folder = tmp_path_factory.mktemp("deep") / "bert"
    shutil.copytree(bert_folder, folder)
    config = BertConfig(**json.loads((folder / "config.json").read_text()) | {"num_hidden_layers": 4})
    torch.manual_seed(0)
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train and validation as preprocess leaves them; one document, so that context has something to read."""
    folder = tmp_path_factory.mktemp("prepared")
    examples = [
        records.Example(f"a.conll:{number}", "d", {"words": text.split()}, tags.split())
        for number, (text, tags) in enumerate(list(TEXTS.items()) * 6)
    ]
    records.write_examples(folder / "train.jsonl", examples)
    records.write_examples(folder / "validation.jsonl", examples[:8])
    records.write_json(folder / "labels.json", ["LOC", "ORG", "PER"])
    return folder


def settings_for(folder: Path, context: str = "none", **changes: Any) -> params.Params:
    """params.yaml with a toy model in float32 and some values of the block ``finetune`` changed."""
    values = params_file.load(ROOT / "params.yaml").model_dump()
    values["finetune"] |= {"model": str(folder), "revision": content_hash(folder), "max_length": 48, "epochs": 6}
    values["finetune"] |= {"learning_rate": 5e-3, "batch_size": 4, "dropout": 0.0, "window_overlap": 4} | changes
    values["compute"] |= {"device": "cpu", "precision": "fp32", "threads": 1}
    values["options"] |= {"context": context}
    return params.Params.model_validate(values)


def tune(settings: params.Params, prepared: Path, folder: Path) -> list[list[str]]:
    """Rows of history.csv of a run whose model then stands in ``folder``."""
    finetune(settings, prepared, folder / "model", folder / "history.csv", None)
    return [line.split(",") for line in (folder / "history.csv").read_text().splitlines()]


def predict(folder: Path, prepared: Path) -> list[records.Prediction]:
    predictor = Predictor(folder / "model", ADAPTER, CPU, 8)
    return list(predictor.predict(records.read_examples(prepared / "validation.jsonl")))


@pytest.mark.parametrize(
    ("features", "head", "path"),
    [
        ("last", "linear", "fast path;"),
        ("last", "mlp", "fast path;"),
        ("last", "crf", "plain path .*no finetune.head: crf"),
        ("mean_last_4", "linear", "plain path .*no finetune.features: mean_last_4"),
        ("mean_last_4", "crf", "plain path .*no finetune.features: mean_last_4 and no finetune.head: crf"),
        ("frozen", "linear", "plain path .*no finetune.features: frozen"),
        ("frozen", "mlp", "plain path .*no finetune.features: frozen"),
    ],
)
def test_it_learns_and_a_saved_model_answers_as_the_trained_one(
    features: str, head: str, path: str, deep_folder: Path, prepared: Path, tmp_path: Path, capsys: Any
) -> None:
    rows = tune(settings_for(deep_folder, features=features, head=head), prepared, tmp_path)
    losses, figures = [float(row[3]) for row in rows[1:]], [float(row[5]) for row in rows[1:]]
    assert losses[-1] < 0.7 * losses[0]
    assert float(rows[-1][4]) == pytest.approx(losses[-1], rel=0.5)
    assert re.search(path, capsys.readouterr().err)
    own = (tmp_path / "model" / HEAD).exists()
    assert own == (head != "linear" or features == "mean_last_4")
    predictions = predict(tmp_path, prepared)
    again = entity_f1([p.gold for p in predictions], [p.predicted for p in predictions])
    assert again == pytest.approx(max(figures), abs=1e-6)
    assert all(0 < value <= 1 for prediction in predictions for value in prediction.confidence)


def test_the_same_seed_gives_the_same_bytes(deep_folder: Path, prepared: Path, tmp_path: Path) -> None:
    settings = settings_for(deep_folder, head="crf", epochs=2)
    for name in ("a", "b"):
        tune(settings, prepared, tmp_path / name)
    for file in ("model.safetensors", HEAD, "hone.json"):
        assert (tmp_path / "a/model" / file).read_bytes() == (tmp_path / "b/model" / file).read_bytes()


def test_only_a_frozen_encoder_keeps_its_bits(deep_folder: Path, prepared: Path, tmp_path: Path) -> None:
    before = load_file(deep_folder / "model.safetensors")
    for features, same in (("frozen", True), ("last", False)):
        tune(settings_for(deep_folder, features=features, head="mlp", epochs=1), prepared, tmp_path / features)
        after = load_file(tmp_path / features / "model/model.safetensors")
        layer = "encoder.layer.3.output.dense.weight"
        assert torch.equal(before[layer], after[layer]) == same


def test_the_linear_head_loads_unchanged_in_transformers(deep_folder: Path, prepared: Path, tmp_path: Path) -> None:
    tune(settings_for(deep_folder), prepared, tmp_path)
    text = "Angela Merkel visited Toyota in Nagoya"
    tagger = pipeline("token-classification", model=str(tmp_path / "model"), device="cpu")
    theirs = {item["word"]: (item["entity"], item["score"]) for item in tagger(text)}
    (own,) = Predictor(tmp_path / "model", ADAPTER, CPU, 8).predict(iter([ADAPTER.read(text, "0")]))
    found = {
        word.lower(): (tag, pytest.approx(sure, abs=1e-4))
        for word, tag, sure in zip(text.split(), own.predicted, own.confidence, strict=True)
        if tag != "O"
    }
    assert found
    assert {word: value for word, value in theirs.items() if value[0] != "O"} == found


def test_a_chain_gives_no_tags_that_iob2_forbids(deep_folder: Path, prepared: Path, tmp_path: Path) -> None:
    settings = settings_for(deep_folder, head="crf", epochs=1, learning_rate=1e-9)
    tune(settings, prepared, tmp_path)
    tensors = load_file(tmp_path / "model" / HEAD)
    for seed in range(5):
        torch.manual_seed(seed)
        predictor = Predictor(tmp_path / "model", ADAPTER, CPU, 8)
        chain = chain_of(predictor.model)
        assert chain is not None
        assert tensors.keys() == dict(chain.named_parameters()).keys()
        torch.nn.init.normal_(chain.emission.weight, std=2.0)
        for prediction in predictor.predict(records.read_examples(prepared / "validation.jsonl")):
            for before, tag in zip(["O", *prediction.predicted], prediction.predicted, strict=False):
                assert tag[0] != "I" or before[2:] == tag[2:]


def test_context_changes_what_is_read_in_training_and_in_prediction(
    deep_folder: Path, prepared: Path, tmp_path: Path
) -> None:
    losses = {}
    for context in ("none", "document"):
        rows = tune(settings_for(deep_folder, context, epochs=1), prepared, tmp_path / context)
        losses[context] = rows[1][3]
    assert losses["none"] != losses["document"]
    with_context = predict(tmp_path / "document", prepared)
    alone = [
        records.Example(example.id, None, example.inputs, example.target)
        for example in records.read_examples(prepared / "validation.jsonl")
    ]
    without = list(Predictor(tmp_path / "document/model", ADAPTER, CPU, 8).predict(iter(alone)))
    assert [p.id for p in with_context] == [p.id for p in without]
    assert [p.confidence for p in with_context] != [p.confidence for p in without]


def test_context_without_documents_is_said(deep_folder: Path, prepared: Path, tmp_path: Path, capsys: Any) -> None:
    shutil.copytree(prepared, tmp_path / "prepared")
    for split in ("train", "validation"):
        examples = list(records.read_examples(prepared / f"{split}.jsonl"))
        bare = (replace(example, document=None) for example in examples)
        records.write_examples(tmp_path / "prepared" / f"{split}.jsonl", bare)
    tune(settings_for(deep_folder, "document", epochs=1), tmp_path / "prepared", tmp_path)
    assert "token_classification.context: document has no effect" in capsys.readouterr().err


def test_mean_of_the_last_four_layers(deep_folder: Path) -> None:
    encoder = AutoModel.from_pretrained(deep_folder).eval()
    ids = torch.arange(5, 12)[None]
    mask = torch.ones_like(ids)
    states = encoder(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
    assert len(states) == 5
    mean = sum(states[1:]) / 4
    assert torch.allclose(hidden_states(encoder, "mean_last_4", ids, mask), mean, atol=1e-6)
    assert torch.equal(hidden_states(encoder, "last", ids, mask), states[-1])
    assert hidden_states(encoder.train(), "frozen", ids, mask).requires_grad is False
    assert torch.equal(hidden_states(encoder.train(), "frozen", ids, mask), states[-1])


def test_too_few_layers_are_refused(bert_folder: Path) -> None:
    model = ADAPTER.model(str(bert_folder), {}, ["O", "B-X", "I-X"])
    with pytest.raises(UserError, match=r"finetune\.features: mean_last_4 needs 4 layers, but finetune\.model has 2"):
        with_head(model, "linear", "mean_last_4", ["O", "B-X", "I-X"])


def test_the_default_is_the_model_of_transformers_itself(bert_folder: Path) -> None:
    model = ADAPTER.model(str(bert_folder), {}, ["O", "B-X", "I-X"])
    before = torch.get_rng_state()
    assert with_head(model, "linear", "last", ["O", "B-X", "I-X"]) is model
    assert torch.equal(before, torch.get_rng_state())
    assert isinstance(with_head(model, "mlp", "last", ["O", "B-X", "I-X"]), Tagger)


def test_low_rank_matrices_are_merged_into_the_saved_model(deep_folder: Path, prepared: Path, tmp_path: Path) -> None:
    lora = {"rank": 4, "alpha": 16, "dropout": 0.1, "targets": ["query", "value"]}
    rows = tune(settings_for(deep_folder, lora=lora), prepared, tmp_path)
    after = load_file(tmp_path / "model/model.safetensors")
    before = load_file(deep_folder / "model.safetensors")
    assert {name.removeprefix("bert.") for name in after} == before.keys() - {
        "pooler.dense.weight",
        "pooler.dense.bias",
    } | {"classifier.weight", "classifier.bias"}
    changed = {name for name in after if name[:5] == "bert." and not torch.equal(after[name], before[name[5:]])}
    assert len(changed) == 4 * 2
    predictions = predict(tmp_path, prepared)
    again = entity_f1([p.gold for p in predictions], [p.predicted for p in predictions])
    assert again == pytest.approx(max(float(row[5]) for row in rows[1:]), abs=1e-6) != 0


def test_the_fast_path_takes_the_steps_of_the_plain_one_under_a_perceptron(deep_folder: Path) -> None:
    tokenizer = load_tokenizer(str(deep_folder), {})
    labels = [[1, 2, 0, 1, 0, 1], [0, 0, 0, 0, 1]]
    windows = encode_words([text.split() for text in list(TEXTS)[:2]], labels, tokenizer, max_length=48, overlap=4)
    batch = collate(windows, pad_id=tokenizer.pad_token_id, device=CPU.device)
    found = []
    for fast in (True, False):
        torch.manual_seed(0)
        classes = ["O", "B-X", "I-X"]
        model = with_head(ADAPTER.model(str(deep_folder), {}, classes), "mlp", "last", classes)
        set_dropout(model.config, model, 0.0, 0.0)
        common: dict[str, Any] = {"machine": CPU, "weight_decay": 0.01, "dropout": 0.0, "seed": 1}
        used = {id for window in windows for id in window.input_ids} | {tokenizer.pad_token_id}
        engine: Any = (
            FastEngine(model, model.classifier, used, 48, attention_dropout=0.0, **common)
            if fast
            else PlainEngine(model, model.classifier, **common)
        )
        losses = [
            engine.step([batch], partial(mean_cross_entropy, count=11), number=n, rate=1e-3, max_norm=1.0).item()
            for n in range(5)
        ]
        found.append((losses, engine.sync().classifier.state_dict()))
    assert found[0][0] == pytest.approx(found[1][0], abs=1e-4)
    for name, value in found[0][1].items():
        assert torch.allclose(value, found[1][1][name], atol=5e-4), name


def test_a_model_without_its_head_is_refused(deep_folder: Path, prepared: Path, tmp_path: Path) -> None:
    tune(settings_for(deep_folder, head="mlp", epochs=1), prepared, tmp_path)
    (tmp_path / "model" / HEAD).unlink()
    with pytest.raises(UserError, match=r"head\.safetensors: no head to load .*'dvc repro' makes it again"):
        Predictor(tmp_path / "model", ADAPTER, CPU, 8)
    card = records.read_json(tmp_path / "model/hone.json")
    del card["head"]
    records.write_json(tmp_path / "model/hone.json", card)
    with pytest.raises(UserError, match=r"hone\.json: head missing \(an older hone made it\)"):
        Predictor(tmp_path / "model", ADAPTER, CPU, 8)
