"""Which engine answers: the same one for the same model, export, machine and size of the input, and it is said."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tasks import onnx_model, predict
from tasks.models import content_hash

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path, Path]:
    """A model, its export, and no calibration; neither is ever loaded."""
    monkeypatch.chdir(ROOT)
    model, exported = tmp_path / "model", tmp_path / "export"
    model.mkdir()
    exported.mkdir()
    (model / "hone.json").write_text("{}")
    card = {"offered": "fp32", "model": content_hash(model)}
    (exported / "export.json").write_text(json.dumps(card))
    monkeypatch.setattr(onnx_model, "load", lambda _folder, **_options: SimpleNamespace(precision="fp32", card=card))
    return model, exported, tmp_path / "calibration.json"


def on_torch(
    monkeypatch: pytest.MonkeyPatch, *, bf16: bool, plain: str | None, flags: bool = True, writer: Any = None
) -> list[Path]:
    """A predictor of that kind; the list grows with each model that is loaded."""
    loaded: list[Path] = []

    def load(model: Path) -> Any:
        loaded.append(model)
        machine = SimpleNamespace(bf16=bf16, description="cpu, 2 threads")
        return SimpleNamespace(machine=machine, plain=plain, writer=writer)

    monkeypatch.setattr(predict, "load_predictor", load)
    monkeypatch.setattr(predict.compute, "may_have_bf16", lambda: flags)
    return loaded


@pytest.mark.parametrize(
    ("wanted", "size", "bf16", "plain", "engine"),
    [
        ("auto", 0, True, None, "onnxruntime, fp32"),
        ("auto", predict.MUCH - 1, True, None, "onnxruntime, fp32"),
        ("auto", predict.MUCH, True, None, "torch, cpu, 2 threads, fast path"),
        ("auto", predict.MUCH, False, None, "onnxruntime, fp32"),
        ("auto", predict.MUCH, True, "it knows bert", "onnxruntime, fp32"),
        ("onnx", predict.MUCH, True, None, "onnxruntime, fp32"),
        ("torch", 0, True, None, "torch, cpu, 2 threads, fast path"),
        ("torch", 0, False, "it knows bert", "torch, cpu, 2 threads, plain path (the fast one does not fit: it knows"),
    ],
)
def test_the_engine_follows_from_what_is_there(
    folders: tuple[Path, Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    wanted: str,
    size: int,
    bf16: bool,
    plain: str | None,
    engine: str,
) -> None:
    on_torch(monkeypatch, bf16=bf16, plain=plain)
    _, identity = predict.find_engine(wanted, *folders, size)
    assert capsys.readouterr().err.splitlines()[-1].startswith(engine)
    assert identity["engine"].startswith("fp32" if engine.startswith("onnx") else engine.removeprefix("torch, "))


def test_torch_is_not_loaded_where_its_speed_cannot_be_had(
    folders: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = on_torch(monkeypatch, bf16=True, plain=None, flags=False)
    predict.find_engine("auto", *folders, predict.MUCH)
    assert loaded == []
    predict.find_engine("torch", *folders, 0)
    assert loaded == [folders[0]]


def test_without_an_export_torch_answers_and_says_why(
    folders: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on_torch(monkeypatch, bf16=True, plain=None)
    (folders[1] / "export.json").unlink()
    predict.find_engine("auto", *folders, 0)
    said = capsys.readouterr().err
    assert "fast path (" in said and "no exported model; 'hone export' makes it, which starts sooner)" in said


def test_a_task_that_writes_is_not_sent_to_an_export_it_has_not(
    folders: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on_torch(monkeypatch, bf16=True, plain="it writes texts", writer=object())
    (folders[1] / "export.json").unlink()
    predict.find_engine("auto", *folders, 0)
    assert "hone export" not in capsys.readouterr().err
