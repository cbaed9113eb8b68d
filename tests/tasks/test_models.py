import shutil
from pathlib import Path

import pytest

from tasks.errors import UserError
from tasks.models import EMBEDDED, content_hash, load_tokenizer, resolve


def test_embedded_model_needs_no_network() -> None:
    folder, load = resolve(EMBEDDED, "embedded")
    assert (Path(folder) / "model.safetensors").is_file()
    assert load["local_files_only"] is True
    assert load["trust_remote_code"] is False


def test_embedded_model_has_no_other_revision() -> None:
    with pytest.raises(UserError, match=r"finetune\.revision: 'main' .* write 'embedded'"):
        resolve(EMBEDDED, "main")


@pytest.mark.parametrize("revision", ["", "embedded", "main"])
def test_a_model_of_the_hub_is_pinned(revision: str) -> None:
    with pytest.raises(UserError, match="does not pin bert-base-cased"):
        resolve("bert-base-cased", revision)
    assert resolve("bert-base-cased", "cd5ef92a")[1]["revision"] == "cd5ef92a"


def test_a_folder_is_pinned_by_its_content(bert_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(bert_folder, folder)
    with pytest.raises(UserError, match=f"write '{content_hash(folder)}'"):
        resolve(str(folder), "old")
    assert resolve(str(folder), content_hash(folder))[0] == str(folder)
    before = content_hash(folder)
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")
    assert content_hash(folder) != before


@pytest.mark.parametrize("name", ["pytorch_model.bin", "weights.pkl", "modeling.py"])
def test_files_that_can_run_code_are_refused(bert_folder: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(bert_folder, folder)
    (folder / name).write_bytes(b"")
    with pytest.raises(UserError, match=f"{name}: can run code"):
        resolve(str(folder), content_hash(folder))


def test_a_link_out_of_the_folder_is_refused(bert_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(bert_folder, folder)
    (tmp_path / "secret").write_text("x")
    (folder / "vocab.txt").symlink_to(tmp_path / "secret")
    with pytest.raises(UserError, match=r"vocab\.txt: a link that leads out"):
        resolve(str(folder), "any")


def test_missing_folder_is_named() -> None:
    with pytest.raises(UserError, match=r"finetune\.model: no folder \./nowhere"):
        resolve("./nowhere", "x")


def test_unreachable_model_gives_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"finetune\.model: cannot load no/such-model .*hone doctor") as error:
        load_tokenizer("no/such-model", {"revision": "x", "local_files_only": True})
    assert "\n" not in str(error.value)
