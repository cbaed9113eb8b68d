"""A small real project: hone's own code, data and a model that trains in seconds, in a Git and DVC repository."""

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("tasks", "flows", "hone", "dvc.yaml", "params.yaml", "numerics.lock", ".dvcignore", ".gitignore")
SENTENCES = {"train": 200, "validation": 80, "test": 80}
PARAMS = {
    "model": "models/toy",
    "epochs": "14",
    "batch_size": "8",
    "learning_rate": "2.0e-3",
    "threads": os.environ.get("HONE_FAULT_THREADS", "1"),  # two on busy cores wait for each other most of the time
    "every_steps": "5",
}
STAGES = ["preprocess", "finetune", "evaluate"]
COMMANDS = {
    "dvc repro": ["-P", "-m", "dvc", "repro", "evaluate"],
    "hone run local": ["-m", "hone", "run", "--engine", "local", "evaluate"],
    "hone run": ["-m", "hone", "run", "evaluate"],
    "stage": [
        *("-m", "tasks.finetune", "--prepared", "data/prepared", "--model", "data/model"),
        *("--history", "data/history.csv", "--cost", "data/cost/finetune.json"),
    ],
}
PATIENCE = 180.0  # seconds for anything to happen on a busy machine

Found = TypeVar("Found")


def until(look: Callable[[], Found | None], what: str, *, patience: float = PATIENCE, pause: float = 0.01) -> Found:
    """What ``look`` finds once it finds something; fails when it never does."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if (found := look()) is not None:
            return found
        time.sleep(pause)
    raise AssertionError(f"waited {patience:.0f} s in vain: {what}")


@dataclass
class Run:
    """A command at work in a project, and what it said so far."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def said(self) -> str:
        """All lines so far, also of dvc and the stages."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    @property
    def resumed(self) -> list[int]:
        """Steps after which a training went on."""
        return [int(step) for step in re.findall(r"goes on after step (\d+) of", self.said)]

    def wait(self) -> int:
        """Its exit code."""
        return self.process.wait(timeout=PATIENCE)


@dataclass(frozen=True)
class Project:
    """The folder of a project and how to run, look at and kill things in it."""

    folder: Path
    runs: list[Run] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """Everything that a program could leave outside stays beside the project's folder."""
        ours = ("PREFECT", "DVC", "HONE", "PYTHONPATH")
        return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | {
            "HONE_PYTHON": sys.executable,
            "PREFECT_HOME": str(self.folder.parent / "prefect"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(self.folder.parent / "site"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "NO_COLOR": "1",
        }

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoint folders."""
        return self.folder / ".dvc/tmp/hone/checkpoints"

    def start(self, command: str) -> Run:
        """Start one of COMMANDS; but for the bare stage they bring the project up to date as far as evaluate."""
        log = self.folder.parent / f"run-{len(self.runs)}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, *COMMANDS[command]],
                cwd=self.folder,
                env=self.environment,
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.runs.append(Run(process, log))
        return self.runs[-1]

    def rerun(self, command: str) -> list[Run]:
        """Run a command, at once and whatever still lives, until it succeeds.

        It may only fail because DVC is busy, or because DVC itself was killed while it wrote dvc.lock; then comes what
        README.md says. `hone run` needs no such help.
        """
        runs = [self.start(command)]
        while runs[-1].wait() != 0:
            torn = command == "dvc repro" and re.search(
                r"dvc\.lock' validation failed|unable to read: '.*dvc\.lock'", runs[-1].said
            )
            if torn:
                self.git("checkout", "--", "dvc.lock")
            assert torn or re.search(r"is busy|Unable to acquire lock", runs[-1].said), runs[-1].said
            assert len(runs) < 8, runs[-1].said
            runs.append(self.start(command))
        return runs

    def git(self, *words: str) -> None:
        """Run Git in the project."""
        subprocess.run(["git", *words], cwd=self.folder, env=self.environment, check=True)

    def commit(self) -> None:
        """Commit everything."""
        self.git("add", "--all")
        self.git("-c", "user.name=hone", "-c", "user.email=hone@localhost", "commit", "--quiet", "--message", "state")

    def processes(self) -> list[tuple[psutil.Process, list[str]]]:
        """The living processes that work in the project's folder, and their command lines."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.cwd() == str(self.folder) and (words := process.cmdline()):
                    found.append((process, words))
        return found

    def stage(self, name: str) -> psutil.Process | None:
        """The process of a stage, not the shells above it."""
        found = [p for p, words in self.processes() if words[0] == sys.executable and f"tasks.{name}" in words]
        return found[0] if found else None

    def dvc(self) -> psutil.Process | None:
        """The process of `dvc repro`, whoever started it."""
        found = [p for p, words in self.processes() if words[0] == sys.executable and {"dvc", "repro"} <= {*words}]
        return found[0] if found else None

    def steps(self, pattern: str = "*/step-*[0-9]") -> list[int]:
        """Steps of the whole checkpoints, in order; with ``*/step-*.part`` of those begun or half removed."""
        return sorted(int(path.name.split("-")[1].removesuffix(".part")) for path in self.checkpoints.glob(pattern))

    def results(self) -> dict[str, bytes]:
        """The bytes that no kill may change."""
        data = self.folder / "data"
        paths = [data / "model/model.safetensors", data / "history.csv", *data.glob("*.jsonl"), *data.glob("*.json")]
        return {path.relative_to(data).as_posix(): path.read_bytes() for path in paths}

    def reset(self, first: str) -> None:
        """As if ``first`` and the stages after it had never run: no outs, nothing in dvc.lock and the run-cache."""
        from ruamel.yaml import YAML

        yaml, path = YAML(), self.folder / "dvc.lock"
        lock = yaml.load(path)
        for stage in STAGES[STAGES.index(first) :]:
            for out in lock["stages"].pop(stage)["outs"]:
                target = self.folder / out["path"]
                shutil.rmtree(target) if target.is_dir() else target.unlink()
        shutil.rmtree(self.folder / ".dvc/cache" / ("runs" if lock["stages"] else ""))
        if lock["stages"]:
            yaml.dump(lock, path)
        else:
            path.write_text("schema: '2.0'\nstages: {}\n")
        self.commit()

    def set(self, name: str, value: str) -> None:
        """Set a key of params.yaml, the first of that name."""
        path = self.folder / "params.yaml"
        text, count = re.subn(rf"(?m)^(  {name}:) \S+", rf"\1 {value}", path.read_text(), count=1)
        assert count == 1, name
        path.write_text(text)

    def trainers(self) -> list[int]:
        """The processes of finetune that are at work: they keep the lock file of their checkpoints open.

        One that still starts, waits for its turn or has let go does not. Files are looked at and not the kernel's
        locks, of which there is never more than one, so that two that locked different files are seen.
        """
        found = []
        for pid in [process.pid for process, words in self.processes() if "tasks.finetune" in words]:
            files = []
            with suppress(OSError):  # it has ended
                for link in Path(f"/proc/{pid}/fd").iterdir():
                    with suppress(OSError):  # it has closed this file
                        files.append(str(link.readlink()).removesuffix(" (deleted)"))
            if any(file.startswith(str(self.checkpoints)) and file.endswith("/lock") for file in files):
                found.append(pid)
        return found

    @contextmanager
    def watched(self, trainers: int = 1) -> Iterator[None]:
        """Fails at the end unless at most, and at some time, so many trainers were alive, and if anything is left."""
        most, over = 0, threading.Event()

        def watch() -> None:
            nonlocal most
            while not over.wait(0.1):
                most = max(most, len(self.trainers()))

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        assert most == trainers, f"{most} trainers at once"
        until(lambda: None if self.processes() else True, "the end of every process", patience=20)
        assert not list(self.checkpoints.glob("*/*")), "checkpoints of a run that succeeded"

    def end_all(self) -> None:
        """Kill what a failed test left at work in this folder."""
        for process, _ in self.processes():
            with suppress(psutil.Error):
                process.kill()
        for run in self.runs:
            run.process.wait()


def _write_data(folder: Path) -> list[str]:
    """The first sentences of each split of the shipped corpus; all words of them, lower-case."""
    folder.mkdir(parents=True)
    words = set()
    for split, count in SENTENCES.items():
        blocks = (ROOT / f"data/raw/hone-ner/{split}.conll").read_text(encoding="utf-8").split("\n\n")[:count]
        (folder / f"{split}.conll").write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
        words |= {line.split("\t")[0].lower() for block in blocks for line in block.splitlines() if "\t" in line}
    return sorted(words)


def _write_model(folder: Path, words: list[str]) -> None:
    """A random BERT of two layers and a WordPiece tokenizer that knows ``words`` and letters."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    letters = sorted({letter for word in words for letter in word})
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = dict.fromkeys([*special, *letters, *(f"##{letter}" for letter in letters), *words])
    numbers = {word: number for number, word in enumerate(vocabulary)}
    backend = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.BertProcessing(("[SEP]", numbers["[SEP]"]), ("[CLS]", numbers["[CLS]"]))
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), special, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=backend, **names).save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 256}
    BertModel(BertConfig(vocab_size=len(numbers), max_position_embeddings=128, **shape)).save_pretrained(folder)


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project after one run that nobody interrupted; copied, never changed."""
    project = Project(tmp_path_factory.mktemp("reference") / "project")
    project.folder.mkdir()
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, project.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, project.folder / name)
    (project.folder / ".dvc").mkdir()
    for name in ("config", ".gitignore"):
        shutil.copy(ROOT / ".dvc" / name, project.folder / ".dvc" / name)
    words = _write_data(project.folder / "data/raw/hone-ner")
    _write_model(project.folder / "models/toy", words)
    from tasks.models import content_hash

    for name, value in (PARAMS | {"revision": content_hash(project.folder / "models/toy")}).items():
        project.set(name, value)
    project.git("init", "--quiet")
    project.commit()
    run = project.start("dvc repro")
    assert run.wait() == 0, run.said
    assert not run.resumed
    return project


@pytest.fixture(name="until")
def _until() -> Callable[..., object]:
    """The function of that name, for tests cannot import this file."""
    return until


@pytest.fixture
def project(reference: Project, tmp_path: Path) -> Iterator[Project]:
    """The finished project, to reset and run again."""
    shutil.copytree(reference.folder, tmp_path / "project", symlinks=True)
    copied = Project(tmp_path / "project")
    yield copied
    copied.end_all()
