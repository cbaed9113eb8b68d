"""A committed toy pipeline whose figure follows from its params, and ways to run trials on it."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[3]

STAGE = """
import json
import os
import sys
import time
from pathlib import Path

from tasks.errors import UserError
from tasks.yaml_files import read_yaml
from tasks.stage import run_stage, say

stage = sys.argv[1]
params = read_yaml(Path("params.yaml"))


def note(what):
    with open(os.environ["TOY_NOTES"], "a") as notes:
        cores = sorted(os.sched_getaffinity(0))
        notes.write(json.dumps([what, stage, params["seed"], params["train"]["rate"], cores, time.time()]) + "\\n")


def write(path, text):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


def work():
    note("start")
    if stage == "prepare":
        write("data/prepared/train.txt", Path("data/raw/toy.txt").read_text() * 2)
    if stage == "train":
        if params["train"]["fail"]:
            raise UserError("params.yaml: train.fail: true; set it to false")
        for epoch in range(1, params["train"]["epochs"] + 1):
            time.sleep(params["train"]["sleep"])
            say(f"epoch {epoch} {100 * epoch // params['train']['epochs']} %")
            with open(os.environ["HONE_EPOCHS"], "a") as epochs:
                epochs.write(json.dumps({"epoch": epoch, "figure": params["train"]["rate"] * epoch}) + "\\n")
        write("data/model/weights", str(params["train"]["rate"] + params["seed"]) * 1000)
    if stage == "score":
        figure = round(params["train"]["rate"] + params["seed"] % 7 / 100, 6)
        per_type = {"LOC": {"f1": figure / 2}, "PER": {"f1": figure}}
        for split, value in (("validation", figure), ("test", figure - 0.01)):
            write(f"data/metrics.{split}.json", json.dumps({"entity_f1": value, "per_type": per_type}))
        lines = []
        for item in range(200):  # the figure is the share that is right, and so F1
            right = item < round(200 * figure)
            tags = {"gold": ["B-PER"], "predicted": ["B-PER" if right else "B-LOC"], "confidence": [0.9]}
            lines.append(json.dumps({"id": f"toy:{item}", **tags}))
        write("data/predictions.validation.jsonl", "\\n".join(lines) + "\\n")
    note("end")
    return {}


run_stage(stage, work, Path(f"data/cost/{stage}.json"))
"""

PIPELINE = """
stages:
  prepare:
    cmd: '"$HONE_PYTHON" toy.py prepare'
    deps: [data/raw, toy.py]
    outs: [data/prepared]
  train:
    cmd: '"$HONE_PYTHON" toy.py train --cost data/cost/train.json'
    deps: [data/prepared]
    params: [seed, train]
    outs: [data/model]
  score:
    cmd: '"$HONE_PYTHON" toy.py score'
    deps: [data/model]
    params: [seed, train]
    outs: [data/predictions.validation.jsonl]
    metrics:
      - data/metrics.validation.json: {cache: false}
      - data/metrics.test.json: {cache: false}
"""

PARAMS = """# toy
seed: 1          # a comment that stays
train:
  rate: 0.5      # of learning
  sleep: 0.0     # seconds per epoch
  epochs: 2
  fail: false
compute:
  device: cpu
  threads: 1
keep_models: 2   # models of trials
"""

DRIVER = """
import json
import sys
from flows.trials import Trial, run_trials

if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    trials = [Trial(**trial) for trial in asked.pop("trials")]
    outcomes = run_trials(
        trials, on_outcome=lambda outcome: print(outcome.trial.name, outcome.state, outcome.error, flush=True), **asked
    )
    sys.exit(any(outcome.state == "failed" for outcome in outcomes))
"""


@dataclass(frozen=True)
class Project:
    """The folder of the project and how to run things in it."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Nothing that a program leaves outside the project reaches beyond the test's own folder."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PREFECT", "DVC", "HONE", "GIT", "RAY", "DASK"))
        }
        outside = self.folder.parent
        return kept | {
            "PYTHONPATH": str(ROOT),
            "HONE_PYTHON": sys.executable,
            "PREFECT_HOME": str(outside.parent / "prefect"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(outside / "site"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "NO_COLOR": "1",
            "TOY_NOTES": str(self.notes_file),
            "HONE_EPOCHS": os.devnull,
        }

    @property
    def notes_file(self) -> Path:
        return self.folder.parent / "notes.jsonl"

    def call(self, *command: str, timeout: float = 120) -> str:
        """Run a program in the project; its output."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=timeout, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def git(self, *arguments: str) -> str:
        return self.call("git", "-c", "user.name=ann", "-c", "user.email=ann@localhost", *arguments)

    def dvc(self, *arguments: str) -> str:
        return self.call(sys.executable, "-P", "-m", "dvc", *arguments)

    def start(self, trials: list[dict[str, Any]], **asked: Any) -> subprocess.Popen[str]:
        """A fan-out in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-c", DRIVER, json.dumps({"trials": trials, "on": "local", **asked})],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def notes(self, what: str, stage: str) -> list[Any]:
        """What stages noted: [what, stage, seed, rate, cores, time]."""
        if not self.notes_file.exists():
            return []
        lines = [json.loads(line) for line in self.notes_file.read_text().splitlines()]
        return [line for line in lines if line[0] == what and line[1] == stage]

    def user_state(self) -> dict[str, str]:
        """All that is the user's: files, index, HEAD, stash, branches, worktrees."""
        index = hashlib.md5((self.folder / ".git/index").read_bytes()).hexdigest()
        files = {}
        for folder, inner, names in os.walk(self.folder):
            inner[:] = [name for name in inner if name not in (".git", ".dvc")]  # where trials are tidied up meanwhile
            for path in (Path(folder) / name for name in names):
                files[path.relative_to(self.folder).as_posix()] = hashlib.md5(path.read_bytes()).hexdigest()
        refs = self.git("for-each-ref", "refs/heads", "refs/tags", "refs/stash", "refs/exps/exec", "refs/exps/stash")
        status = self.git("--no-optional-locks", "status", "--porcelain")
        return {**files, "index": index, "refs": refs, "HEAD": self.git("rev-parse", "HEAD"), "status": status}

    def left_behind(self) -> list[str]:
        """What no fan-out may leave: trial folders, worktrees, locks of Git, refs of snapshots, processes."""
        trials = self.folder / ".dvc/tmp/hone/trials"
        found = [str(path) for path in trials.glob("*") if path.name != "@activity"]
        found += [str(path) for path in (self.folder / ".git").rglob("*.lock")]
        found += self.git("worktree", "list").splitlines()[1:]
        found += self.git("for-each-ref", "refs/hone").splitlines()
        return found + [str(process) for process in self.processes()]

    def processes(self) -> list[psutil.Process]:
        """The living processes of trials of this project."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.status() != psutil.STATUS_ZOMBIE and process.environ().get("HONE_TRIAL_MARK", "").startswith(
                    str(self.folder)
                ):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def until(self, look: Any, patience: float = 60) -> Any:
        """What ``look`` finds once it finds something."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if found := look():
                return found
            time.sleep(0.02)
        raise AssertionError("waited in vain")

    def trials(self) -> dict[str, str]:
        """Commit by name of the recorded experiments."""
        lines = self.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/exps").splitlines()
        return {line.split()[0].rpartition("/")[2]: line.split()[1] for line in lines}


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project after its first run, committed; copied, never changed."""
    project = Project(tmp_path_factory.mktemp("trials") / "project")
    (project.folder / "data/raw").mkdir(parents=True)
    (project.folder / "data/raw/toy.txt").write_text("raw\n")
    for name, text in {
        "toy.py": STAGE,
        "dvc.yaml": PIPELINE,
        "params.yaml": PARAMS,
        ".gitignore": "data/cost/\n__pycache__/\n",
    }.items():
        (project.folder / name).write_text(text)
    project.git("init", "-q", "-b", "main")
    project.dvc("init", "-q")
    (project.folder / ".dvc/.gitignore").write_text("/config.local\n/tmp\n/cache\n")
    project.dvc("repro", "-q")
    project.git("add", "-A")
    project.git("commit", "-qm", "start")
    project.notes_file.unlink()
    return project


@pytest.fixture
def project(template: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A finished, committed project as the current folder."""
    shutil.copytree(template.folder, tmp_path / "project", symlinks=True)
    copied = Project(tmp_path / "project")
    monkeypatch.chdir(copied.folder)
    for name in list(os.environ):
        if name.startswith(("PREFECT", "DVC", "HONE", "GIT", "RAY", "DASK")):
            monkeypatch.delenv(name)
    for name, value in copied.environment.items():
        monkeypatch.setenv(name, value)
    copied.git("status")  # the copy's index knows the copied files
    yield copied
    for process in copied.processes():
        process.kill()


@pytest.fixture
def clone(project: Any, tmp_path: Path) -> Path:
    """A clone of the project with the raw data in the DVC remote and nothing in its own cache."""
    project.git("rm", "-rq", "--cached", "data/raw")
    project.dvc("add", "-q", "data/raw")
    project.dvc("remote", "add", "-q", "-d", "store", str(tmp_path / "store"))
    project.dvc("push", "-q", "data/raw.dvc")
    project.git("add", "-A")
    project.git("commit", "-qm", "data under DVC")
    project.git("init", "-q", "--bare", str(tmp_path / "hub.git"))
    project.git("remote", "add", "origin", str(tmp_path / "hub.git"))
    project.git("push", "-q", "origin", "main")
    project.git("clone", "-q", "-b", "main", str(tmp_path / "hub.git"), str(tmp_path / "clone"))
    return tmp_path / "clone"


@pytest.fixture
def until() -> Any:
    """Waits for what a function finds, up to ten seconds; its finding."""

    def wait(look: Any) -> Any:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if found := look():
                return found
            time.sleep(0.002)
        raise AssertionError("waited in vain")

    return wait
