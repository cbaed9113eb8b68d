"""A toy pipeline in a Git and DVC project of its own: four stages that take no time unless told to sleep."""

import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, settings

# The same examples each time, and no verdict on how fast a busy machine makes them.
settings.register_profile("hone", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hone")

ROOT = Path(__file__).resolve().parent.parent

TOY = """
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


def write(path, text):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


def work():
    Path("running.pid").write_text(str(os.getpid()))
    if stage == "prepare":
        write("data/prepared/train.txt", Path("data/raw/toy.txt").read_text() + str(params["seed"]))
    if stage == "train":
        if params["train"]["fail"]:
            write("data/model/half", "half written")
            raise UserError("params.yaml: train.fail: true; set it to false")
        for step in range(round(params["train"]["sleep"] * 10)):
            sys.stderr.write(f"\\\\r{step}% of the steps")
            sys.stderr.flush()
            time.sleep(0.1)
        say("trained on " + Path("data/prepared/train.txt").read_text())
        write("data/model/weights", str(params["train"]["rate"]))
        write("data/history.csv", "epoch,loss\\\\n1,0.5\\\\n")
    if stage == "score":
        if params["score"]["fail"]:
            write("data/metrics.validation.json", "half written")
            raise SystemExit("score.fail is set")
        for split, value in (("validation", 0.75), ("test", 0.7)):
            write(f"data/metrics.{split}.json", json.dumps({"entity_f1": value, "entity_f1_lenient": value + 0.01}))
    if stage == "report":
        write("data/report/report.md", "# A toy report\\\\n")
        write("data/report/report.html", "<p>A toy report</p>")
    return {}


run_stage(stage, work, Path(f"data/cost/{stage}.json"))
""".replace("\\\\", "\\")

PIPELINE = """
stages:
  prepare:
    desc: Raw to prepared
    cmd: '"$HONE_PYTHON" toy.py prepare'
    deps: [data/raw]
    params: [seed]
    outs: [data/prepared]
  report:
    desc: What a person reads
    cmd: '"$HONE_PYTHON" toy.py report'
    deps: [data/metrics.validation.json, data/history.csv]
    outs: [data/report]
  score:
    desc: Score it
    cmd: '"$HONE_PYTHON" toy.py score'
    deps: [data/model, "data/${folder}"]
    params: [score]
    metrics:
      - data/metrics.validation.json: {cache: false}
      - data/metrics.test.json: {cache: false}
  train:
    desc: Learn a number
    cmd: '"$HONE_PYTHON" toy.py train'
    deps: [data/prepared]
    params: [train]
    outs: [data/model, data/history.csv]
"""

PARAMS = """
folder: prepared
seed: 1
train: {rate: 0.5, sleep: 0, fail: false}
score: {fail: false}
"""

RUN = """
import sys
from tasks.errors import UserError
from hone.run import run
try:
    code = run(sys.argv[1], [name for name in sys.argv[2:] if name != "--force"], "--force" in sys.argv)
except UserError as error:
    sys.exit(f"error: {error}")
except KeyboardInterrupt:
    code = 130
assert "torch" not in sys.modules and "dvc" not in sys.modules
assert ("prefect" in sys.modules) <= (sys.argv[1] == "prefect")
sys.exit(code)
"""


def gone(pid: int, patience: float = 5) -> bool:
    """Whether process ``pid`` ends within ``patience`` seconds."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def processes(folder: Path, words: str) -> list[psutil.Process]:
    """The processes at work in ``folder`` with ``words`` in their command line."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.cwd() == str(folder) and words in " ".join(process.cmdline()):
                found.append(process)
    return found


@dataclass(frozen=True)
class Toy:
    """The folder of a toy project and how to run things in it."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Everything that a program could leave outside stays in the project's folder."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT", "DVC", "HONE"))}
        return kept | {
            "PYTHONPATH": str(ROOT),
            "HONE_PYTHON": sys.executable,
            "PREFECT_HOME": str(self.folder.parent / "prefect"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(self.folder.parent / "site"),
            "NO_COLOR": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }

    def call(self, *command: str, timeout: float = 120, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the project and wait for it."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment | more,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def dvc(self, *arguments: str) -> str:
        """Run dvc; its output."""
        done = self.call(sys.executable, "-P", "-m", "dvc", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """`hone run` in a process, without the check of params.yaml that the command line does before."""
        return self.call(sys.executable, "-c", RUN, *(arguments or ("local",)), **more)

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        """The same without waiting, as an interactive shell starts it: in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-c", RUN, *arguments],
            cwd=self.folder,
            env=self.environment | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            process_group=0,
        )

    def set(self, old: str, new: str, file: str = "params.yaml") -> None:
        """Replace text in a file of the project; the text must be there."""
        path = self.folder / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def stage_is_gone(self, patience: float = 5) -> bool:
        """Whether the process of the last stage ends within ``patience`` seconds; a zombie has ended."""
        return gone(int(self.read("running.pid")), patience)

    def server_is_gone(self, patience: float = 10) -> bool:
        """Whether no temporary server of this project is left within ``patience`` seconds."""
        return all(gone(process.pid, patience) for process in processes(self.folder, "flows.server"))

    def read(self, path: str) -> str:
        """The text of a file of the project."""
        return (self.folder / path).read_text()


@pytest.fixture(scope="session")
def toy_template(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """The toy project as a newcomer has it, never run."""
    folder = tmp_path_factory.mktemp("template") / "toy"
    (folder / "data/raw").mkdir(parents=True)
    (folder / "data/raw/toy.txt").write_text("raw")
    (folder / "toy.py").write_text(TOY)
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / "params.yaml").write_text(PARAMS)
    (folder / ".gitignore").write_text("running.pid\ndata/cost/\n")
    toy = Toy(folder)
    assert toy.call("git", "init", "-q").returncode == 0
    toy.dvc("init", "-q")
    return toy


@pytest.fixture(scope="session")
def toy_finished(toy_template: Toy, tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """The toy project after a first `hone run --engine local`; copied, never changed."""
    folder = tmp_path_factory.mktemp("finished") / "toy"
    shutil.copytree(toy_template.folder, folder, symlinks=True)
    toy = Toy(folder)
    done = toy.run("local")
    assert done.returncode == 0, done.stdout + done.stderr
    return toy


@pytest.fixture
def toy(toy_template: Toy, tmp_path: Path) -> Toy:
    """A toy project never run."""
    shutil.copytree(toy_template.folder, tmp_path / "toy", symlinks=True)
    return Toy(tmp_path / "toy")


@pytest.fixture
def done_toy(toy_finished: Toy, tmp_path: Path) -> Toy:
    """A toy project in which everything has run."""
    shutil.copytree(toy_finished.folder, tmp_path / "toy", symlinks=True)
    return Toy(tmp_path / "toy")


@dataclass(frozen=True)
class Branches:
    """A project in Git with several branches, each of them run, and a DVC remote beside it."""

    folder: Path

    def environment(self) -> dict[str, str]:
        """Of all programs here: every command of git has an author."""
        identity = {
            f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        program = Path(sys.executable).parent
        return Toy(self.folder).environment | identity | {"PATH": f"{program}{os.pathsep}{os.environ['PATH']}"}

    def call(self, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the project."""
        return subprocess.run(command, cwd=self.folder, env=self.environment() | more, capture_output=True, text=True)

    def must(self, *command: str) -> str:
        """The same of a program that has to succeed; its output."""
        done = self.call(*command)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def hone(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command line of hone."""
        return self.call(sys.executable, "-m", "hone", *arguments)

    def set(self, old: str, new: str, file: str = "params.yaml") -> None:
        """Replace text in a file of the project; the text must be there."""
        path = self.folder / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def branch(self, name: str, old: str, new: str, base: str = "main") -> None:
        """A branch off ``base`` with one change of params.yaml, run and committed."""
        self.must("git", "checkout", "-q", "-b", name, base)
        self.set(old, new)
        self.run(name)

    def run(self, message: str) -> None:
        """`dvc repro` and a commit of what it left."""
        self.must("dvc", "repro", "-q")
        self.must("git", "add", "-A")
        self.must("git", "commit", "-qm", message)


@pytest.fixture(scope="session")
def branches_made(tmp_path_factory: pytest.TempPathFactory) -> Branches:
    """The project that `branches` copies: main, better, same (one more seed), worse, and more test data."""
    made = Branches(tmp_path_factory.mktemp("branches") / "project")
    shutil.copytree(ROOT / "tests/fixtures/branches", made.folder)
    (made.folder / "data/raw").mkdir(parents=True)
    (made.folder / "data/raw/count").write_text("241")
    shutil.copy(ROOT / "params.yaml", made.folder)
    (made.folder / ".gitignore").write_text("__pycache__/\n")
    made.must("git", "init", "-q", "-b", "main")
    made.must("dvc", "init", "-q")
    made.must("dvc", "remote", "add", "-q", "-d", "store", "../store")
    made.run("first")
    changes = {"better": ("rate: 3.0e-4", "rate: 1.0e-3"), "worse": ("rate: 3.0e-4", "rate: 3.0e-3")}
    for name, (old, new) in {**changes, "same": ("seed: 1 ", "seed: 2 ")}.items():
        made.must("dvc", "push", "-q")  # of the branch before; the last one stays on this machine
        made.branch(name, old, new)
    made.must("git", "checkout", "-q", "main")
    made.must("dvc", "checkout", "-q", "--force")
    return made


@pytest.fixture
def branches(branches_made: Branches, tmp_path: Path) -> Branches:
    """A project of a test's own with the branches main (checked out), better, worse and same."""
    shutil.copytree(branches_made.folder.parent, tmp_path / "copy", symlinks=True)
    return Branches(tmp_path / "copy/project")
