"""Two people and a remote: what one has run and pushed the other does not run, whatever was cut on the way."""

import os
import re
import shutil
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.conftest import Toy
from tests.flows.sharing import Clone, Remote, clones, s3, sshd

STAGES = ("prepare", "train", "score", "report")


def verdicts(output: str) -> dict[str, str]:
    """What became of each stage, as `hone run` says it."""
    lines = (line.split(maxsplit=1) for line in output.splitlines())
    return {
        words[0]: words[1].split("  ")[0]
        for words in lines
        if len(words) == 2 and words[0] in STAGES and words[1].startswith(("ran", "restored", "cached"))
    }


@pytest.fixture(scope="module")
def shared(toy_finished: Toy, toy_template: Toy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ann, who has run and pushed, bob, who has not, and the store."""
    folder = tmp_path_factory.mktemp("shared")
    ann, _ = clones((toy_finished, toy_template), folder, Remote(str(folder / "store")))
    assert "files sent" in ann.hone("push")
    return folder


@pytest.fixture
def pair(shared: Path, tmp_path: Path) -> tuple[Clone, Clone, Path]:
    """Ann, who has run and pushed, Bob, who has not, and their store."""
    for name in ("ann", "bob", "store"):
        shutil.copytree(shared / name, tmp_path / name, symlinks=True)
    people = []
    for name in ("ann", "bob"):
        people.append(Clone(tmp_path / name / "toy"))
        Remote(str(tmp_path / "store")).write_to(people[-1])
    return people[0], people[1], tmp_path / "store"


@pytest.mark.parametrize("engine", ["--local", pytest.param("--prefect", marks=pytest.mark.server)])
def test_what_one_has_run_the_other_does_not_run(engine: str, pair: tuple[Clone, Clone, Path]) -> None:
    ann, bob, _ = pair
    assert not (bob.folder / "dvc.lock").exists()  # Ann has not committed hers: the run-cache alone tells
    said = bob.hone("run", "--pull", engine)
    assert verdicts(said) == dict.fromkeys(STAGES, "restored from the run-cache")
    assert "trained on" not in said
    assert not (bob.folder / "running.pid").exists()
    for file in ("data/model/weights", "data/metrics.test.json", "data/report/report.md", "dvc.lock"):
        assert bob.read(file) == ann.read(file)


def test_a_clone_of_what_was_committed_runs_nothing_either(pair: tuple[Clone, Clone, Path]) -> None:
    ann, bob, _ = pair
    for person in (ann, bob):  # a stage that leaves metrics for Git and something for the remote
        person.set("    params: [score]\n", "    params: [score]\n    outs: [data/answers]\n", "dvc.yaml")
        line = "        for split, value"
        person.set(line, f'        write("data/answers", "found")\n{line}', "toy.py")
    ann.hone("run")
    ann.hone("push")
    for file in ("dvc.lock", "data/metrics.validation.json", "data/metrics.test.json"):  # what Git has
        (bob.folder / file).write_text(ann.read(file))
    said = bob.hone("run", "--pull")
    assert verdicts(said) == dict.fromkeys(STAGES, "cached, unchanged")
    assert bob.read("data/answers") == "found"

    # One who lost a file of his, and one who has the lock alone, as after a merge.
    (bob.folder / "data/answers").write_text("edited")
    assert verdicts(bob.hone("run", "--pull"))["score"] == "restored from the run-cache"
    (bob.folder / "data/metrics.test.json").unlink()
    assert verdicts(bob.hone("run", "--pull"))["score"] == "restored from the run-cache"
    assert bob.read("data/metrics.test.json") == ann.read("data/metrics.test.json")


@pytest.mark.parametrize("start", [sshd, s3])
def test_ssh_and_s3_carry_results_and_the_run_cache(
    start, toy_finished: Toy, toy_template: Toy, tmp_path: Path
) -> None:
    with start(tmp_path / "remote") as remote:
        ann, bob = clones((toy_finished, toy_template), tmp_path, remote)
        assert "files sent" in ann.hone("push")
        assert ann.exchange("push") == {"objects": 0, "bytes": 0, "damaged": [], "entries": 0, "differs": []}
        bob.exchange("pull")
        assert bob.exchange("stage", "prepare")["objects"] == 2  # the folder's list and its file
        assert sorted(bob.stored("runs")) == sorted(ann.stored("runs"))


def test_a_clone_with_the_lock_gets_data_and_results(pair: tuple[Clone, Clone, Path]) -> None:
    ann, bob, _ = pair
    ann.dvc("add", "-q", "data/raw")
    ann.hone("push")
    shutil.rmtree(bob.folder / "data/raw")
    for file in ("dvc.lock", "data/raw.dvc"):
        shutil.copy(ann.folder / file, bob.folder / file)
    moved = bob.exchange("pull")
    assert moved["damaged"] == []
    assert bob.read("data/raw/toy.txt") == "raw"
    assert set(bob.stored("files")) == set(ann.stored("files")) - {*metrics(ann)}


def metrics(clone: Clone) -> list[str]:
    """The objects of metrics, which come from Git where dvc.lock does."""
    return [name for name in clone.stored("files") if b"entity_f1" in (clone.folder / ".dvc/cache" / name).read_bytes()]


@pytest.mark.parametrize("cut", ["file", "folder", "entry", "entry that still is YAML"])
def test_what_a_cut_upload_left_is_seen_and_replaced(cut: str, pair: tuple[Clone, Clone, Path]) -> None:
    ann, bob, store = pair
    if cut.startswith("entry"):
        (path,) = (path for path in store.glob("runs/*/*/*") if "toy.py train" in path.read_text())
        whole = path.read_text()
        end = whole.index("- path: data/model") if "YAML" in cut else len(whole) // 2
        assert ("outs" in whole[:end]) is ("YAML" in cut)
    else:
        name = ".dir" if cut == "folder" else ""
        objects = [path for path in store.glob("files/md5/*/*") if path.suffix == name]
        path = next(path for path in objects if b"weights" in path.read_bytes() or path.read_bytes() == b"0.5")
        whole, end = path.read_text(), 1
    path.chmod(0o644)
    path.write_text(whole[:end])
    shutil.copy(ann.folder / "dvc.lock", bob.folder / "dvc.lock")
    moved = bob.exchange("pull")
    if cut.startswith("entry"):
        assert (moved["entries"], moved["damaged"]) == (1, [])
        assert len(bob.stored("runs")) == len(STAGES) - 1
    else:
        assert (moved["entries"], moved["damaged"]) == (0, [path.parent.name + path.name])
        assert f"files/md5/{path.parent.name}/{path.name}" not in bob.stored("files")
    if not cut.startswith("entry"):
        path.write_text(whole[:end])  # of a folder DVC takes such a file away when it looks at it
        assert "1 objects of the remote were cut and are replaced" in ann.hone("push")
    else:
        ann.hone("push")
    assert path.read_text() == whole


@pytest.mark.slow
def test_after_a_cut_upload_a_run_makes_what_is_missing(pair: tuple[Clone, Clone, Path]) -> None:
    ann, bob, store = pair
    path = next(path for path in store.glob("files/md5/*/*") if path.read_bytes() == b"0.5")
    path.chmod(0o644)
    path.write_text("0")
    said = bob.hone("run", "--pull")
    assert "remote: 1 objects are damaged, as a cut upload leaves them" in said
    assert verdicts(said)["train"] == "ran"
    assert bob.read("data/model/weights") == ann.read("data/model/weights")


@pytest.mark.slow
def test_all_sends_what_other_runs_left(pair: tuple[Clone, Clone, Path]) -> None:
    ann, bob, _ = pair
    for person in (ann, bob):
        person.set("rate: 0.5", "rate: 0.25")
    ann.hone("run")
    ann.set("rate: 0.25", "rate: 0.125")
    ann.hone("run")
    ann.hone("push", "--all")
    assert verdicts(bob.hone("run", "--pull"))["train"] == "restored from the run-cache"


@pytest.mark.slow
def test_an_upload_over_ssh_that_is_killed_leaves_a_remote_that_works(toy_template: Toy, tmp_path: Path) -> None:
    with sshd(tmp_path / "remote") as remote:
        ann, bob = clones((toy_template, toy_template), tmp_path, remote)
        for person in (ann, bob):
            person.set('str(params["train"]["rate"])', '"x" * 100_000_000', "toy.py")
        ann.hone("run")
        command = [sys.executable, "-P", "-m", "dvc", "push", "--run-cache"]
        upload = subprocess.Popen(command, cwd=ann.folder, env=ann.environment, stderr=subprocess.DEVNULL)
        while not any(path.stat().st_size > 2**20 for path in remote.folder.glob("files/md5/*/.*")):
            assert upload.poll() is None, "the upload was over before it could be cut"
            time.sleep(0.002)
        upload.kill()
        upload.wait()
        objects = [path for path in remote.folder.glob("files/md5/*/*") if path.suffix != ".tmp"]
        assert max((path.stat().st_size for path in objects), default=0) < 2**20  # the half has no object's name
        assert "MB; 'hone run --pull' elsewhere takes them" in ann.hone("push")

        # Other uploaders write under the final name: such a half is seen over SSH too.
        path = next(path for path in remote.folder.glob("files/md5/*/*") if path.stat().st_size == 100_000_000)
        os.truncate(path, 2**20)
        assert "1 objects of the remote were cut and are replaced" in ann.hone("push")
        assert verdicts(bob.hone("run", "--pull")) == dict.fromkeys(STAGES, "restored from the run-cache")
        assert (bob.folder / "data/model/weights").stat().st_size == 100_000_000


CARD = """        write("data/model/hone.json", '{"versions": {"numpy": "1.0"}, "data": "0123456789abcdef"}')
        write("data/model/weights","""


def test_a_pulled_result_tells_the_versions_and_the_data_it_was_made_with(pair: tuple[Clone, Clone, Path]) -> None:
    ann, bob, _ = pair
    for person in (ann, bob):
        person.set('        write("data/model/weights",', CARD, "toy.py")
        person.set("rate: 0.5", "rate: 0.25")
    ann.hone("run")
    ann.hone("push")
    said = bob.hone("run", "--pull")
    assert verdicts(said)["train"] == "restored from the run-cache"
    assert f"note              the model was made with numpy 1.0, here {version('numpy')}: the last digits" in said
    assert "the model learned from other data: 0123456789abcdef, here data/prepared is " in said


def test_what_nobody_has_run_says_by_what_it_differs(pair: tuple[Clone, Clone, Path]) -> None:
    ann, bob, _ = pair
    shutil.copy(ann.folder / "dvc.lock", bob.folder / "dvc.lock")
    bob.set("raw", "other", "data/raw/toy.txt")
    bob.set("rate: 0.5", "rate: 0.25")
    said = bob.hone("run", "--pull")
    other = r"nobody has run it like this; the result in dvc.lock was made with other "
    assert re.search(f"^prepare: {other}data/raw \\([0-9a-f]{{7}}, here [0-9a-f]{{7}}\\)$", said, re.MULTILINE)
    assert re.search(f"^train: {other}data/prepared .*, train\\.rate \\(0.5, here 0.25\\)$", said, re.MULTILINE)
    assert verdicts(said)["train"] == "ran"


def test_no_remote_is_said_with_the_remedy(toy: Toy) -> None:
    done = toy.call(sys.executable, "-c", "from hone.run import run; run('local', [], False, True)")
    assert "no DVC remote is configured; 'dvc remote add -d NAME URL' adds one" in done.stderr
