"""An exported model behind `hone serve`, with a graph so small that it is made here: a table of sub-words."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import tokenizers
from onnx import TensorProto, helper, numpy_helper

from serving.exported import Exported
from serving.model import serve_from
from tasks.errors import UserError
from tasks.yaml_files import read_yaml

ROOT = Path(__file__).resolve().parents[2]
WORDS = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "ann": 4, "nordhaven": 5, "met": 6, "in": 7}
CLASSES = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
ENTITIES = {"ann": "B-PER", "nordhaven": "B-LOC"}


def graph() -> onnx.ModelProto:
    """Each place is answered by its sub-word alone."""
    table = np.full((len(WORDS), len(CLASSES)), 0.025, np.float32)
    for word, row in WORDS.items():
        table[row, CLASSES.index(ENTITIES.get(word, "O"))] = 0.9
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, shape)
        for name, shape in {"input_ids": ["B", "L"], "attention_mask": ["B", "L"], "places": ["n"]}.items()
    ]
    nodes = [
        helper.make_node("Reshape", ["input_ids", "flat"], ["ids"]),
        helper.make_node("Gather", ["ids", "places"], ["read"]),
        helper.make_node("Gather", ["table", "read"], ["answers"]),
    ]
    constants = [numpy_helper.from_array(table, "table"), numpy_helper.from_array(np.array([-1]), "flat")]
    output = helper.make_tensor_value_info("answers", TensorProto.FLOAT, ["n", len(CLASSES)])
    made = helper.make_graph(nodes, "toy", inputs, [output], constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def model(tmp_path):
    """A folder as the stage export leaves it."""
    folder = tmp_path / "model"
    folder.mkdir()
    onnx.save(graph(), folder / "model.onnx")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(WORDS, "[UNK]"))
    tokenizer.normalizer = tokenizers.normalizers.Lowercase()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    card(folder, {"fp32": {"offered": True}})
    return folder


def card(folder, quality):
    values = {
        "task": "token_classification",
        "classes": CLASSES,
        "options": read_yaml(ROOT / "params.yaml")["token_classification"],
        "max_length": 16,
        "window_overlap": 4,
        "offered": "fp32",
        "temperature": 1.0,
        "chain": None,
        "rows_per_output": 1,
        "unknown_id": 1,
        "pad_id": 0,
        "quality": quality,
    }
    if quality is None:
        del values["quality"]
    (folder / "export.json").write_text(json.dumps(values))


def test_texts_are_answered_by_the_exported_model(model):
    served = Exported(model, 1)
    assert served.task == "token_classification"
    first, second, empty, long = served.answers(["Ann met X. In Nordhaven", "met", " ", "in " * 50 + "Ann"])
    assert [(one["text"], one["type"], one["start"]) for one in first["entities"]] == [
        ("Ann", "PER", 0),
        ("Nordhaven", "LOC", 14),
    ]
    assert first["entities"][0]["confidence"] == pytest.approx(0.9)
    assert second["entities"] == empty["entities"] == []
    assert [one["start"] for one in long["entities"]] == [150]


def test_an_export_at_work_is_not_taken_up(model):
    card(model, None)
    with pytest.raises(UserError, match="at work or was interrupted"):
        serve_from(model, lambda folder: Exported(folder, 1))


def test_a_folder_without_a_model_says_what_makes_one(tmp_path):
    with pytest.raises(UserError, match=r"export\.json: no such file; 'hone"):
        serve_from(tmp_path / "none", lambda folder: Exported(folder, 1))


def test_a_file_that_could_run_code_is_refused(model):
    (model / "extra.pkl").write_bytes(b"\x80\x04.")
    with pytest.raises(UserError):
        serve_from(model, lambda folder: Exported(folder, 1))


def test_the_command_serves_it(model, start_command):
    with start_command("--model", str(model), "--threads", "1") as server:
        reply = server.predict({"texts": ["Ann met Bob", "in Nordhaven"]})
        assert [[one["type"] for one in result["entities"]] for result in reply.json["results"]] == [["PER"], ["LOC"]]
        assert server.stop() == 0
        assert server.log.read_text() == ""
