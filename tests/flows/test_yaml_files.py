"""YAML kept once parsed: always what the parser would say now."""

import datetime
from pathlib import Path

import pytest

from flows import yaml_files
from flows.yaml_files import read_yaml
from tasks import yaml_files as yaml_reader
from tasks.errors import UserError

TEXT = "a: 5e-5\nb: [1, 1.0, true, null, x]\nc: {d: 0x1F, e: yes, f: '1'}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path(".dvc").mkdir()
    return tmp_path


def no_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("parsed")

    monkeypatch.setattr(yaml_reader, "read_yaml_text", never)


def test_the_same_text_is_parsed_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("p.yaml").write_text(TEXT)
    first = read_yaml(Path("p.yaml"))
    assert first == yaml_reader.read_yaml(Path("p.yaml"))
    first["a"] = "changed by the caller"
    no_parser(monkeypatch)
    again = read_yaml(Path("p.yaml"))
    assert repr(again) == "{'a': 5e-05, 'b': [1, 1.0, True, None, 'x'], 'c': {'d': 31, 'e': 'yes', 'f': '1'}}"


def test_another_text_is_parsed_again(folder: Path) -> None:
    Path("p.yaml").write_text(TEXT)
    read_yaml(Path("p.yaml"))
    Path("p.yaml").write_text(TEXT.replace("5e-5", "6e-5"))
    assert read_yaml(Path("p.yaml"))["a"] == 6e-5


@pytest.mark.parametrize("text", ["a: 2020-01-01\n", "1: x\n", "a: {1.5: x}\n"])
def test_what_json_would_change_is_parsed_each_time(folder: Path, text: str) -> None:
    Path("p.yaml").write_text(text)
    for _ in range(2):
        assert read_yaml(Path("p.yaml")) == yaml_reader.read_yaml(Path("p.yaml"))
    assert not list(yaml_files.KEPT.glob("*"))
    if "2020" in text:
        assert read_yaml(Path("p.yaml"))["a"] == datetime.date(2020, 1, 1)


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"form": 1, "of": "x"}'])
def test_a_broken_note_is_no_matter(folder: Path, broken: str) -> None:
    Path("p.yaml").write_text(TEXT)
    read_yaml(Path("p.yaml"))
    (kept,) = yaml_files.KEPT.glob("*")
    kept.write_text(broken)
    assert read_yaml(Path("p.yaml"))["a"] == 5e-5


def test_nothing_is_kept_outside_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("p.yaml").write_text(TEXT)
    assert read_yaml(Path("p.yaml"))["a"] == 5e-5
    assert [path.name for path in tmp_path.iterdir()] == ["p.yaml"]


@pytest.mark.parametrize(("content", "said"), [(None, "no such file"), (b"\xff", "not YAML"), (b"a: [", "p.yaml:")])
def test_messages_are_those_of_the_params(folder: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        Path("p.yaml").write_bytes(content)
    with pytest.raises(UserError, match=said):
        read_yaml(Path("p.yaml"))
