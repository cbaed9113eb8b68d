"""Bad input of every kind: a refusal with value, place and remedy; nothing of it is run."""

import ast
import gc
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tasks import adapters, params_file, preprocess, records, yaml_files
from tasks.errors import Defect, UserError
from tasks.models import check_safe

ROOT = Path(__file__).resolve().parent.parent
PARAMS = Path("params.yaml")
DEEP = "[" * 100_000


def run(folder: Path, task: str, content: bytes, name: str, **options: Any) -> dict[str, Any]:
    """Preprocess a file that stands for train, and the same for the other splits; what was found."""
    raw = folder / "raw/own"
    raw.mkdir(parents=True)
    names = {"train": name, "validation": f"v{name}", "test": f"t{name}"}
    for each in names.values():
        (raw / each).write_bytes(content)
    adapter = adapters.find(task)
    block = yaml_files.read_yaml(ROOT / PARAMS)[task]
    return preprocess.preprocess(
        raw,
        folder / "prepared",
        adapter=adapter,
        options=params_file.check(adapter.options, block | options, PARAMS),
        dataset="own",
        splits={split: [each] for split, each in names.items()},
        seed=1,
        on_defect="stop",
        fractions={"validation": 0.1, "test": 0.1},
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dataset", "../../etc"),
        ("dataset", "/etc"),
        ("dataset", ""),
        ("dataset", "hone-ner/../../model"),
        ("splits.train", "../../../etc/passwd"),
        ("splits.test", "/etc/passwd"),
    ],
)
def test_params_that_lead_out_are_refused_before_dvc_hashes_what_they_name(key: str, value: str) -> None:
    values = yaml_files.read_yaml(ROOT / PARAMS)
    if key == "dataset":
        values["dataset"] = value
    else:
        values["splits"][key.partition(".")[2]] = [value]
    with pytest.raises(UserError) as error:
        params_file.checked(values, PARAMS)
    assert str(error.value) == f"params.yaml: {key}: {value!r} leaves the folder of raw data; name something within it"


def test_a_task_is_a_file_of_the_adapters_and_no_path() -> None:
    values = yaml_files.read_yaml(ROOT / PARAMS) | {"task": "../../evil"}
    with pytest.raises(UserError, match=r"params\.yaml: task: '\.\./\.\./evil' is unknown; there are: "):
        params_file.checked(values, PARAMS)


@pytest.mark.parametrize(
    ("task", "name", "content", "said"),
    [
        (
            "token_classification",
            "a.conll",
            b"Ann\tB-PER\nJos\xe9\tB-PER\n\n",
            r"a\.conll:2: byte 0xe9 .* is not UTF-8",
        ),
        (
            "token_classification",
            "a.jsonl",
            b'{"tokens": ["Jos\xe9"], "tags": ["O"]}\n',
            r"a\.jsonl:1: byte 0xe9 .* UTF-8",
        ),
        ("text_classification", "a.csv", b"text,label\nJos\xe9,good\n", r"a\.csv:2: bytes that are not UTF-8; save"),
        ("text_classification", "a.jsonl", b'{"text": "\xff\xfe", "label": "x"}\n', r"a\.jsonl:1: byte 0xff .* UTF-8"),
        ("token_classification", "a.jsonl", DEEP.encode() + b"\n", r"a\.jsonl:1: not JSON \(maximum recursion depth"),
        ("text_classification", "a.jsonl", b'{"text": ' + DEEP.encode(), r"a\.jsonl:1: not JSON \(maximum recursion"),
        ("extractive_qa", "a.json", b'{"data": ' + DEEP.encode(), r"a\.json.*: .*not JSON \(maximum recursion depth"),
        ("token_classification", "a.jsonl", b'{"words": ["Ann"], "tags": ["O"]}\n', r"a\.jsonl:1: .*tokens.*; .*words"),
        ("text_classification", "a.jsonl", b'{"txt": "good", "label": "x"}\n', r"a\.jsonl:1: .*text"),
        ("text_classification", "a.jsonl", b'{"text": {"a": [1]}, "label": "x"}\n', r"a\.jsonl:1: .*text"),
    ],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # datasets leaves a CSV open
def test_raw_files_that_cannot_be_read_are_refused_with_file_and_line(
    task: str, name: str, content: bytes, said: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=said) as error:
        run(tmp_path, task, content, name)
    assert "\n" not in str(error.value) and len(str(error.value)) < 400
    del error
    gc.collect()


@pytest.mark.parametrize(
    ("task", "name", "content"),
    [
        ("text_classification", "a.jsonl", json.dumps({"text": "word " * 2_000_000, "label": "x"}).encode()),
        ("text_classification", "a.csv", b"text,label\n" + b"x" * 10_000_000 + b",good\n"),
        ("token_classification", "a.conll", b"Ann\tB-PER\n" * 1_000_000),
        ("token_classification", "a.jsonl", json.dumps({"tokens": ["x" * 10_000_000], "tags": ["O"]}).encode()),
    ],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # datasets leaves a CSV open
def test_ten_megabytes_in_a_row_are_refused(task: str, name: str, content: bytes, tmp_path: Path) -> None:
    with pytest.raises(Defect, match=r"a\.\w+:\d+: an example of [\d,]+ characters, more than the 1,000,000") as error:
        run(tmp_path, task, content, name)
    assert error.value.kind == "too long" and len(str(error.value)) < 400
    del error
    gc.collect()


def test_nested_json_of_the_project_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "hone.json"
    file.write_text(DEEP)
    with pytest.raises(UserError, match=r"hone\.json: not JSON \(maximum recursion depth"):
        records.read_json(file)
    with pytest.raises(UserError, match=r"hone\.json:1: not JSON \(maximum recursion depth"):
        list(records.read_lines(file))
    file.write_bytes(b'{"id": "\xff"}\n')
    with pytest.raises(UserError, match=r"hone\.json: not UTF-8 "):
        list(records.read_lines(file))
    with pytest.raises(UserError, match=r"hone\.json: not JSON .*utf-8"):
        records.read_json(file)
    file.write_text("a: " + "[" * 5000)
    with pytest.raises(UserError, match=r"hone\.json: not YAML \(maximum recursion depth"):
        yaml_files.read_yaml(file)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "PYTORCH_MODEL.BIN", "deep/er/weights.pkl", "modeling_own.py"])
def test_a_model_folder_with_a_pickle_or_code_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(
        UserError, match=r"can run code when loaded; save the model as safetensors and remove this file"
    ):
        check_safe(tmp_path)


def test_a_model_folder_with_links_out_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    for name, target in (("file", "/etc/passwd"), ("folder", "/etc"), ("relative", "../beside"), ("circle", "circle")):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / name).symlink_to(target)
        with pytest.raises(UserError, match=rf"{name}: a link that leads out of the model's folder; copy the file"):
            check_safe(folder)
    (folder / "circle").unlink()
    (folder / "a").write_text("x")
    (folder / "b").symlink_to("a")
    check_safe(folder)


def test_a_model_folder_that_names_another_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "../elsewhere"}')
    with pytest.raises(UserError, match=r"adapter_config\.json: names another model .*; merge the adapter"):
        check_safe(tmp_path)


def calls(tree: ast.AST) -> list[str]:
    """What a file calls and the keyword arguments it gives, as source."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found.append(f"{ast.unparse(node.func)}(")
            found += [f"{word.arg}={ast.unparse(word.value)}" for word in node.keywords]
    return found


def test_nothing_in_the_code_loads_what_can_run() -> None:
    forbidden = {"torch.load(", "pickle.load(", "pickle.loads(", "joblib.load(", "eval(", "exec("}
    forbidden |= {"trust_remote_code=True", "allow_pickle=True", "weights_only=False"}
    files = [file for folder in ("tasks", "flows", "hone") for file in (ROOT / folder).rglob("*.py")]
    assert len(files) > 150
    found = {
        f"{file.relative_to(ROOT)}: {call}"
        for file in files
        for call in calls(ast.parse(file.read_text(encoding="utf-8")))
        if call in forbidden
    }
    assert found == set()
    assert "torch.load(" in calls(ast.parse("import torch\ntorch.load('x')"))
