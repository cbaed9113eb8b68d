"""A committed project whose stages take no time, with the params of this repository made small."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[3]
SMALL = {
    "epochs: 8 ": "epochs: 2 ",
    "threads: 2": "threads: 1",
    "train_share: 1.0": "train_share: 1.0",
    "value: 0.7 ": "value: 0.8 ",
    "trials: 20 ": "trials: 4 ",
    "confirm_seeds: 3 ": "confirm_seeds: 1 ",
}
SPACE = """  space:
    - {param: finetune.dropout, low: 0.0, high: 0.4, scale: linear}
    - {param: finetune.head, choices: [linear, mlp]}
  trials:"""


@dataclass(frozen=True)
class Project:
    """Its folder, and hone, git and dvc in it."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Nothing that a program leaves outside the project reaches beyond the test's own folder."""
        unsafe = ("PREFECT", "DVC", "HONE", "GIT")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(unsafe)}
        identity = {f"GIT_{who}_{what}": "t@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        return (
            kept
            | identity
            | {
                "PYTHONPATH": str(ROOT),
                "HONE_PYTHON": sys.executable,
                "DVC_NO_ANALYTICS": "1",
                "DVC_SITE_CACHE_DIR": str(self.folder.parent / "site"),
                "GIT_CONFIG_GLOBAL": os.devnull,
                "NO_COLOR": "1",
            }
        )

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """hone as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "hone", *arguments], cwd=self.folder, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def hone(self, *arguments: str, code: int = 0) -> str:
        """What hone says; it has to end with ``code``."""
        process = self.start(*arguments)
        out, errors = process.communicate(timeout=170)
        assert process.returncode == code, f"{arguments}: {out}{errors}"
        return out + errors

    def call(self, *command: str) -> str:
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def git(self, *arguments: str) -> str:
        return self.call("git", *arguments).strip()

    def set(self, old: str, new: str) -> None:
        """Replace text in params.yaml; it must be there."""
        path = self.folder / "params.yaml"
        assert old in path.read_text(), old
        path.write_text(path.read_text().replace(old, new, 1))

    def run(self, message: str) -> None:
        """`dvc repro` and a commit."""
        self.call(sys.executable, "-P", "-m", "dvc", "repro", "-q")
        self.git("add", "-A")
        self.git("commit", "-qm", message)

    def processes(self) -> list[psutil.Process]:
        """The living processes of its trials."""
        found = []
        for process in psutil.process_iter():
            try:
                mark = process.environ().get("HONE_TRIAL_MARK", "")
            except psutil.Error:
                continue
            if mark.startswith(str(self.folder)) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        return found


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project after its first run; copied, never changed."""
    project = Project(tmp_path_factory.mktemp("loop") / "project")
    shutil.copytree(ROOT / "tests/fixtures/loop", project.folder)
    (project.folder / "data/raw").mkdir(parents=True)
    (project.folder / "data/raw/count").write_text("240")
    shutil.copy(ROOT / "params.yaml", project.folder)
    (project.folder / ".gitignore").write_text("__pycache__/\n/data/loop\n")
    for old, new in SMALL.items():
        project.set(old, new)
    text = (project.folder / "params.yaml").read_text()
    before, _, after = text.partition("  space:")
    (project.folder / "params.yaml").write_text(before + SPACE + after.partition("  trials:")[2])
    project.git("init", "-q", "-b", "main")
    project.call(sys.executable, "-P", "-m", "dvc", "init", "-q")
    project.run("first")
    return project


@pytest.fixture
def project(made: Project, tmp_path: Path) -> Iterator[Project]:
    """A project of the test's own."""
    shutil.copytree(made.folder, tmp_path / "project", symlinks=True)
    copied = Project(tmp_path / "project")
    copied.git("status")
    yield copied
    for process in copied.processes():
        process.kill()
