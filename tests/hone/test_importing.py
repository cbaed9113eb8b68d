"""`hone import`: bytes as they were, nothing from outside, nothing overwritten, DVC told, the params printed."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.dvc_add import add
from hone import hub, importing, splits
from tasks.errors import UserError

SENTENCES = b"\xef\xbb\xbfAnn\tB-PER\r\n\t\r\nBob\tB-PER\r\n"  # a byte order mark, CRLF: kept as they are


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    root = tmp_path_factory.mktemp("empty")
    subprocess.run(["git", "init", "-q", "."], cwd=root, check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q"], cwd=root, check=True)
    return root


@pytest.fixture
def project(empty, tmp_path, monkeypatch):
    """A fresh project with Git and DVC; the current folder."""
    root = tmp_path / "project"
    subprocess.run(["cp", "-a", str(empty), str(root)], check=True)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "corpus"
    (folder / "deep").mkdir(parents=True)
    (folder / "train.conll").write_bytes(SENTENCES)
    (folder / "deep" / "dev ä.conll").write_bytes(SENTENCES * 2)
    (folder / "README.md").write_text("about")
    return folder


@pytest.fixture
def no_dvc(monkeypatch):
    """Without the process: what DVC does is tested once, with DVC."""

    def marked(path):
        path.with_name(path.name + ".dvc").write_text("outs: new\n")
        return path.with_name(path.name + ".dvc")

    monkeypatch.setattr(importing, "add", marked)


def run(source, name="mine", force=False):
    return importing.import_dataset(str(source), name, force)


def test_a_folder_arrives_byte_for_byte_and_dvc_knows_it(project, corpus, capsys):
    assert run(corpus) == 0
    assert Path("data/raw/mine/train.conll").read_bytes() == SENTENCES
    assert Path("data/raw/mine/deep/dev ä.conll").read_bytes() == SENTENCES * 2
    assert "nfiles: 3" in Path("data/raw/mine.dvc").read_text()
    assert "/mine" in Path("data/raw/.gitignore").read_text()
    out = capsys.readouterr().out
    assert "imported 3 files" in out and "README.md" in out
    assert 'dataset: mine\nsplits:\n  train: [train.conll]\n  validation: ["deep/dev ä.conll"]\n  test: []\n' in out
    assert "test: [] is cut from train" in out and "git add data/raw/mine.dvc data/raw/.gitignore" in out
    status = subprocess.run(["git", "status", "--short", "-uall"], capture_output=True, text=True).stdout
    assert "mine/" not in status and "import" not in status


def test_a_refusal_of_dvc_is_one_line_and_puts_back_what_was_there(project, corpus, monkeypatch):
    run(corpus)
    before = Path("data/raw/mine.dvc").read_text()
    (corpus / "train.conll").write_bytes(b"new\tO\n")

    def refuse(path):
        raise UserError("dvc said no")

    monkeypatch.setattr(importing, "add", refuse)
    with pytest.raises(UserError, match="dvc said no"):
        run(corpus, force=True)
    assert Path("data/raw/mine/train.conll").read_bytes() == SENTENCES
    assert Path("data/raw/mine.dvc").read_text() == before
    assert not list(importing.STAGING.iterdir())


def test_what_dvc_says_reaches_the_error(project):
    with pytest.raises(UserError, match=r"data/raw/none: dvc add failed: .*does not exist") as caught:
        add(Path("data/raw/none"))
    assert "\n" not in str(caught.value)


def test_without_dvc_the_error_names_the_remedy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="make setup"):
        add(Path("x"))


def test_a_single_file_becomes_a_folder(project, corpus, no_dvc, capsys):
    run(corpus / "train.conll")
    assert Path("data/raw/mine/train.conll").read_bytes() == SENTENCES
    assert "imported 1 files" in capsys.readouterr().out


def test_nothing_is_overwritten_unless_forced(project, corpus, no_dvc):
    run(corpus)
    (corpus / "train.conll").write_bytes(b"new\tO\n")
    with pytest.raises(UserError, match="exists; choose another name, or --force replaces it"):
        run(corpus)
    assert Path("data/raw/mine/train.conll").read_bytes() == SENTENCES
    (corpus / "README.md").unlink()
    run(corpus, force=True)
    assert Path("data/raw/mine/train.conll").read_bytes() == b"new\tO\n"
    assert not Path("data/raw/mine/README.md").exists()


def test_a_dataset_in_git_is_not_replaced(project, corpus, no_dvc):
    Path("data/raw/mine").mkdir(parents=True)
    Path("data/raw/mine/train.conll").write_text("shipped\n")
    subprocess.run(["git", "add", "data"], check=True)
    with pytest.raises(UserError, match="is in Git"):
        run(corpus, force=True)
    assert Path("data/raw/mine/train.conll").read_text() == "shipped\n"


@pytest.mark.parametrize("name", ["", ".", "..", "../out", "a/b", "/abs", "-x", ".hidden", "a b", "x.dvc", "a\n"])
def test_names_that_leave_data_raw_are_refused(project, corpus, no_dvc, name):
    with pytest.raises(UserError, match="one folder below data/raw"):
        run(corpus, name)
    assert not Path("data").exists()


def test_a_target_behind_a_link_is_refused(project, corpus, no_dvc, tmp_path):
    (tmp_path / "outside").mkdir()
    Path("data/raw").mkdir(parents=True)
    Path("data/raw/mine").symlink_to(tmp_path / "outside")
    with pytest.raises(UserError, match="leads out of data/raw"):
        run(corpus, force=True)


def test_links_inside_are_copied_and_links_outside_refused(project, corpus, no_dvc, tmp_path):
    (corpus / "test.conll").symlink_to("train.conll")
    run(corpus)
    copied = Path("data/raw/mine/test.conll")
    assert not copied.is_symlink() and copied.read_bytes() == SENTENCES
    secret = tmp_path / "secret"
    secret.write_text("s")
    for link, points, complaint in (
        ("a", secret, "leads out of"),
        ("b", tmp_path, "leads out of"),
        ("c", corpus / "gone", "link to nothing"),
        ("d", corpus, "link to a folder"),
    ):
        (corpus / link).symlink_to(points)
        with pytest.raises(UserError, match=complaint):
            run(corpus, "other")
        (corpus / link).unlink()
    assert not Path("data/raw/other").exists()


def test_what_is_no_file_is_refused(project, corpus, no_dvc):
    os.mkfifo(corpus / "pipe")
    with pytest.raises(UserError, match="neither a file nor a folder"):
        run(corpus)


def test_sources_without_data_are_refused(project, no_dvc, tmp_path):
    (tmp_path / "nothing").mkdir()
    with pytest.raises(UserError, match="holds no data"):
        run(tmp_path / "nothing")
    (tmp_path / "nothing" / "train.conll").touch()
    with pytest.raises(UserError, match="holds no data"):
        run(tmp_path / "nothing")
    with pytest.raises(UserError, match="no such file or folder"):
        run(tmp_path / "gone")
    with pytest.raises(UserError, match="holds the project itself"):
        run(tmp_path)
    assert not Path("data/raw").exists()


def test_folders_of_version_control_are_left_out_and_named(project, corpus, no_dvc, capsys):
    (corpus / ".git").mkdir()
    (corpus / ".git" / "config").write_text("x")
    run(corpus)
    assert "left out: .git" in capsys.readouterr().out
    assert not Path("data/raw/mine/.git").exists()


@pytest.mark.parametrize(
    ("files", "train", "validation", "test"),
    [
        (["dev", "test", "train"], ["train"], ["dev"], ["test"]),
        (["eng.testa", "eng.testb", "eng.train"], ["eng.train"], ["eng.testa"], ["eng.testb"]),
        (["emerging.dev.conll", "wnut17train.conll"], ["wnut17train.conll"], ["emerging.dev.conll"], []),
        (["test/1.jsonl", "train/1.jsonl", "train/2.jsonl"], ["train/1.jsonl", "train/2.jsonl"], [], ["test/1.jsonl"]),
        (["a.conll", "README.md", "LICENSE"], ["a.conll"], [], []),
        (["train_README.txt", "valid.csv", "x.csv"], ["train_README.txt"], ["valid.csv"], []),
        (["dev/1.json.gz", "train/1.json.gz", "LICENSE.txt"], ["train/1.json.gz"], ["dev/1.json.gz"], []),
        (["notes.md"], [], [], []),
    ],
)
def test_splits_are_guessed_from_names(files, train, validation, test):
    guessed, unused = splits.guess(files)
    assert guessed == {"train": train, "validation": validation, "test": test}
    assert sorted([*train, *validation, *test, *unused]) == sorted(files)


def test_the_printed_block_is_read_back_as_it_was_meant():
    from ruamel.yaml import YAML

    files = {"train": ["a, b.txt", "yes", "ä #1.txt"], "validation": ["1.txt"], "test": []}
    text = "\n".join(
        line for line in splits.params_block("2024", files, {"tag_field": "ner_tags"}) if ": []" not in line
    )
    assert YAML(typ="safe", pure=True).load(text) == {
        "dataset": "2024",
        "splits": {"train": files["train"], "validation": ["1.txt"]},
        "token_classification": {"tag_field": "ner_tags"},
    }


def dataset(tags=((0, 1), (2, -1))):
    from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value

    features = Features(
        {
            "id": Value("string"),
            "tokens": List(Value("string")),
            "ner_tags": List(ClassLabel(names=["O", "B-PER", "I-PER"])),
            "about": {"kind": ClassLabel(names=["news", "sport"])},
        }
    )
    rows = {
        "id": ["ä", "2"],
        "tokens": [["I", "Ann"], ["x", "y"]],
        "ner_tags": [list(tags[0]), list(tags[1])],
        "about": [{"kind": 1}, {"kind": None}],
    }
    data = Dataset.from_dict(rows, features=features)
    return DatasetDict({"train": data, "test": data.select([0])})


@pytest.fixture
def stored(monkeypatch):
    """load_dataset answers from memory; what it was asked for."""
    import datasets

    asked = []

    def load(*arguments, **options):
        asked.append((arguments, options))
        return dataset()

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(datasets, "load_dataset", load)
    return asked


def test_a_dataset_of_the_hub_becomes_json_lines_with_class_names(project, stored, no_dvc, capsys):
    assert run("hub:team/corpus@v1.0:en:news") == 0
    assert stored == [(("team/corpus",), {"name": "en:news", "revision": "v1.0"})]
    first, second = Path("data/raw/mine/train.jsonl").read_text(encoding="utf-8").splitlines()
    assert first == '{"id":"ä","tokens":["I","Ann"],"ner_tags":["O","B-PER"],"about":{"kind":"sport"}}'
    assert json.loads(second)["ner_tags"] == ["I-PER", None] and json.loads(second)["about"] == {"kind": None}
    assert json.loads(Path("data/raw/mine/SOURCE.json").read_text()) == {
        "id": "team/corpus",
        "revision": "v1.0",
        "config": "en:news",
        "rows": {"train": 2, "test": 1},
    }
    out = capsys.readouterr().out
    assert "train: [train.jsonl]" in out and "test: [test.jsonl]" in out and "in no split: SOURCE.json" in out
    assert "token_classification:\n  format: jsonl\n  token_field: tokens\n  tag_field: ner_tags\n" in out


def test_the_same_dataset_gives_the_same_bytes(project, stored, no_dvc):
    digests = []
    for name in ("one", "two"):
        run("hub:team/corpus@v1.0", name)
        files = sorted(Path("data/raw", name).iterdir())
        digests.append([(file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files])
    assert digests[0] == digests[1] and len(digests[0]) == 3


@pytest.mark.parametrize("source", ["hub:team/corpus", "hub:@v1", "hub:a/b/c@v1", "hub:corpus@"])
def test_a_dataset_without_revision_is_refused(project, stored, no_dvc, source):
    with pytest.raises(UserError, match="hub:ID@REVISION"):
        run(source)
    assert not stored and not Path("data/raw").exists()


def test_without_a_network_the_error_says_what_was_tried_and_what_to_do(tmp_path, no_dvc):
    """The real loader, offline, in a process of its own since it reads the switch when it is imported."""
    code = "from pathlib import Path; from hone.hub import download; download('hub:team/corpus@v1', Path('x'))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
    )
    line = done.stderr.strip().splitlines()[-1]
    assert "dataset team/corpus, revision v1" in line and "the Hub was not reached (HF_HUB_OFFLINE is set)" in line
    assert "hone import FOLDER --as NAME" in line


def test_a_hub_that_does_not_answer_is_asked_once(project, monkeypatch, no_dvc):
    import datasets

    def unreachable(*arguments, **options):
        assert os.environ["HF_HUB_OFFLINE"] == "1"
        raise ConnectionError("Couldn't reach it")

    monkeypatch.setenv("HF_HUB_OFFLINE", "")
    monkeypatch.setattr(hub, "reached", lambda address: False)
    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(UserError, match=r"the Hub was not reached \(https://\S+ does not answer\); copy its files"):
        run("hub:team/corpus@v1")


def test_what_the_hub_refuses_is_one_line(project, monkeypatch, no_dvc):
    import datasets

    def refuse(*arguments, **options):
        raise ValueError("BuilderConfig 'fr' not found.\nAvailable: ['en']")

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(UserError, match=r"BuilderConfig 'fr' not found. Available: \['en'\]; check id"):
        run("hub:team/corpus@v1:fr")
    assert not Path("data/raw").exists()


def test_values_that_json_cannot_hold_are_refused_with_their_row(tmp_path):
    from datasets import Dataset

    with pytest.raises(UserError, match=r"here, row 2: .*not JSON compliant"):
        hub._write(tmp_path / "x.jsonl", Dataset.from_dict({"score": [1.0, float("nan")]}), "here")
    with pytest.raises(UserError, match="row 1: a value of type bytes"):
        hub._write(tmp_path / "x.jsonl", Dataset.from_dict({"blob": [b"x"]}), "here")


def test_every_ending_that_a_reader_knows_is_taken_for_data():
    from tasks.sources import ENDINGS

    assert set(ENDINGS) == splits.ENDINGS
