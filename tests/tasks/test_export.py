"""Stage export: the exported model answers as the model, its bytes say nothing of this machine, int8 is gated."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks import params, params_file
from tasks.adapters import Encoded, find
from tasks.answering import answers
from tasks.errors import UserError
from tasks.evaluate import evaluate
from tasks.export import export, verdict
from tasks.finetune import finetune
from tasks.models import content_hash
from tasks.onnx_model import load, many_text_answers, text_answers
from tasks.params_file import check
from tasks.preprocess import preprocess
from tasks.records import read_examples, read_predictions
from tasks.scoring.paired import Comparison
from tasks.yaml_files import read_yaml

ROOT = Path(__file__).parents[2]
FIXTURES = Path(__file__).parent / "adapters" / "fixtures"


def exported(task: str, head: str, encoder: Path, folder: Path, **options: Any) -> params.Params:
    """A tiny model of the task, trained for an epoch, evaluated and exported below ``folder``."""
    values = params_file.load(ROOT / "params.yaml").model_dump()
    values["task"], values["options"] = task, read_yaml(ROOT / "params.yaml")[task] | options
    values["dataset"] = "rows"
    values["finetune"] |= {"model": str(encoder), "revision": content_hash(encoder), "max_length": 48, "head": head}
    values["finetune"] |= {"batch_size": 4, "epochs": 1, "learning_rate": 1e-2, "window_overlap": 8}
    values["compute"] |= {"device": "cpu", "precision": "fp32", "threads": 1}
    settings = params.Params.model_validate(values)
    raw = folder / "raw"
    raw.mkdir()
    rows = next((FIXTURES / task).glob("train.*"))
    names = {split: [f"{split}{rows.suffix}"] for split in ("train", "validation", "test")}
    for split in names:
        shutil.copy(rows, raw / names[split][0])
    preprocess(
        raw,
        folder / "prepared",
        adapter=find(task),
        options=check(find(task).options, settings.options, Path("params.yaml")),
        dataset="rows",
        splits=names,
        seed=1,
        on_defect="stop",
        fractions={},
    )
    finetune(settings, folder / "prepared", folder / "model", folder / "history.csv", None)
    evaluate(settings, folder / "prepared", folder / "model", folder)
    again(settings, folder, folder / "export")
    return settings


def again(settings: params.Params, folder: Path, out: Path) -> dict[str, Any]:
    names = ("prepared", "model", "predictions.validation.jsonl", "calibration.json")
    return export(settings, *(folder / name for name in names), out)


@pytest.fixture(scope="module")
def tagger(bert_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[params.Params, Path]:
    folder = tmp_path_factory.mktemp("tagger")
    return exported("token_classification", "crf", bert_folder, folder), folder


def same_answers(folder: Path) -> None:
    model = load(folder / "export", precision="fp32", threads=1, batch_size=3)
    found = list(model.predict(read_examples(folder / "prepared/validation.jsonl")))
    wanted = list(read_predictions(folder / "predictions.validation.jsonl"))
    assert [one.predicted for one in found] == [one.predicted for one in wanted] and len(found) >= 4
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one.confidence, other.confidence, atol=2e-5)
        assert one.runner_up == other.runner_up


def test_a_chain_of_tags_answers_as_the_model(tagger: tuple[params.Params, Path]) -> None:
    same_answers(tagger[1])
    card = json.loads((tagger[1] / "export/export.json").read_text())
    assert card["quality"]["fp32"]["differing_examples"] == 0 and card["chain"] is not None
    assert set(card["quality"]) == {"fp32", "int8", "largest_difference"}
    assert (tagger[1] / "export/model.int8.onnx").exists() == (card["offered"] == "int8")


@pytest.mark.parametrize(
    ("task", "head"), [("text_classification", "linear"), ("relation_extraction", "mlp"), ("extractive_qa", "linear")]
)
def test_every_kind_of_head_answers_as_the_model(
    task: str, head: str, bert_folder: Path, roberta_folder: Path, tmp_path: Path
) -> None:
    exported(task, head, roberta_folder if task == "text_classification" else bert_folder, tmp_path)
    same_answers(tmp_path)


def test_marked_sub_words_are_marked_without_torch_too(bert_folder: Path, tmp_path: Path) -> None:
    exported("extractive_qa", "linear", bert_folder, tmp_path, mark_shared=True)
    same_answers(tmp_path)


def test_the_same_model_gives_the_same_bytes_without_a_path(tagger: tuple[params.Params, Path], tmp_path: Path) -> None:
    settings, folder = tagger
    cost = again(settings, folder, tmp_path / "export")
    files = sorted(path.name for path in (folder / "export").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "export").iterdir())
    for name in files:
        content = (folder / "export" / name).read_bytes()
        assert content == (tmp_path / "export" / name).read_bytes()
        assert b"site-packages" not in content and str(ROOT).encode() not in content
    assert cost["fp32"]["examples_per_second"] > 0 and cost["int8"]["bytes"] < cost["fp32"]["bytes"]
    (tmp_path / "predictions").write_text("")
    with pytest.raises(UserError, match="not of these examples"):
        export(
            settings, folder / "prepared", folder / "model", tmp_path / "predictions", tmp_path / "x", tmp_path / "o"
        )


def test_texts_are_answered_without_torch(tagger: tuple[params.Params, Path]) -> None:
    script = (
        "import sys; from pathlib import Path; from tasks.onnx_model import load, text_answers;"
        "answer = text_answers(load(Path(sys.argv[1])), 'Ann met Bob. Bob left Graz.');"
        "assert answer['entities'] is not None and not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script, str(tagger[1] / "export")], check=True, cwd=ROOT, timeout=120)


def test_places_are_characters_of_the_text(tagger: tuple[params.Params, Path]) -> None:
    model = load(tagger[1] / "export", threads=1)
    text = "Angela Merkel visited Toyota in Nagoya.\n\n  Kestrel Freight moves boxes! The harbourmaster of Graz. " * 3
    found = text_answers(model, text)
    assert found["text"] == text
    assert all(text[one["start"] : one["end"]] == one["text"] for one in found["entities"])
    assert [one["start"] for one in found["entities"]] == sorted(one["start"] for one in found["entities"])
    empty, words = many_text_answers(model, [" \n", ["Angela", "Merkel"]])
    assert empty == {"text": " \n", "entities": []} and words["text"] == "Angela Merkel"


def test_the_parts_of_a_text_are_put_together_where_they_stand() -> None:
    """With a model that calls each word with a capital an entity."""
    adapter = find("token_classification")

    def capitals(examples: Any) -> Any:
        from tasks.records import Prediction

        for one in examples:
            tags = ["B-X" if word[0].isupper() else "O" for word in one.inputs["words"]]
            yield Prediction(one.id, [], tags, [0.9] * len(tags))

    text = " Ann left. \n\nHe met Bob! "
    (found,) = answers([text], adapter, capitals, 1.0)
    assert [(one["text"], one["start"]) for one in found["entities"]] == [("Ann", 1), ("He", 13), ("Bob", 20)]
    (found,) = answers([["Ann", "met", "Bob"]], adapter, capitals, 1.0)
    assert [(one["text"], one["start"], one["end"]) for one in found["entities"]] == [("Ann", 0, 3), ("Bob", 8, 11)]


@pytest.mark.parametrize("name", ["evil.pkl", "custom_ops.so", "weights.data"])
def test_files_that_do_not_belong_there_are_refused(
    tagger: tuple[params.Params, Path], tmp_path: Path, name: str
) -> None:
    folder = shutil.copytree(tagger[1] / "export", tmp_path / "export")
    (folder / name).write_bytes(b"x")
    with pytest.raises(UserError, match=name):
        load(folder)


def test_a_broken_folder_is_refused(tagger: tuple[params.Params, Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no exported model there; 'hone export' makes one"):
        load(tmp_path)
    folder = shutil.copytree(tagger[1] / "export", tmp_path / "export")
    card = json.loads((folder / "export.json").read_text())
    outside = shutil.move(folder / "tokenizer.json", tmp_path / "tokenizer.json")
    (folder / "tokenizer.json").symlink_to(outside)
    with pytest.raises(UserError, match="a link that leads out of the model's folder"):
        load(folder)
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match=r"tokenizer\.json: cannot be read"):
        load(folder)
    shutil.copy(outside, folder / "tokenizer.json")
    (folder / "model.onnx").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"model\.onnx: cannot be read"):
        load(folder, precision="fp32")
    for change, message in (
        ({"offered": "torch"}, "is answered by torch alone"),
        ({"offered": "../../x"}, r"offers '\.\./\.\./x'"),
    ):
        (folder / "export.json").write_text(json.dumps(card | change))
        with pytest.raises(UserError, match=message):
            load(folder)
    (folder / "export.json").write_text(json.dumps({"offered": "fp32"}))
    with pytest.raises(UserError, match="missing"):
        load(folder)


@pytest.mark.parametrize(
    ("low", "high", "offered", "words"),
    [
        (-0.0019, 0.001, True, "offered, as good"),
        (-0.0021, 0.001, False, "too few data"),
        (-0.02, -0.003, False, "worse than the model"),
    ],
)
def test_int8_is_offered_by_the_interval_of_its_loss(low: float, high: float, offered: bool, words: str) -> None:
    found = Comparison(0.9, 0.9, low, high, 0.5, 0.01, 3, 100, (1, 1), "no evidence")
    given, text = verdict(found, 0.002, 2000)
    assert given is offered and words in text


def test_the_chain_in_numpy_is_that_of_torch() -> None:
    import torch

    from tasks.chain import Chain
    from tasks.crf import Crf

    torch.manual_seed(1)
    crf = Crf(4, ["O", "B-A", "I-A", "B-B", "I-B"])
    for parameter in crf.parameters():
        torch.nn.init.normal_(parameter, std=2.0)
    rng = np.random.default_rng(1)
    given = []
    for example, words in enumerate([5, 1, 9, 0, 3, 3]):
        given += [
            (
                Encoded(example, [], [], [(at, at) for at in range(part)]),
                rng.normal(size=(part, 5)).astype(np.float32) * 3,
            )
            for part in (words - words // 2, words // 2)
        ]
    scores = (one.detach().numpy().astype(np.float64) for one in crf.scores())
    for (_, found), (_, wanted) in zip(Chain(*scores).resolve(given), crf.resolve(given), strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-5)
        assert (found.argmax(1) == wanted.argmax(1)).all() if len(found) else True
