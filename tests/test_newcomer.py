"""What a newcomer does with DVC and hone, on a copy of the repository with the embedded encoder. Minutes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow
COPIED = (
    "tasks",
    "flows",
    "hone",
    "dvc.yaml",
    "params.yaml",
    "numerics.lock",
    ".dvcignore",
    ".gitignore",
    "pyproject.toml",
)
STAGES = ["preprocess", "finetune", "evaluate", "report"]


class Clone:
    """A clone with a short training and its tools."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def call(self, *command: str, ok: bool = True) -> str:
        bin_folder = Path(sys.executable).parent
        environment = os.environ | {
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
            "HONE_PYTHON": sys.executable,
            "PYTHONPATH": str(self.folder),
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(self.folder.parent / "site"),
            "PREFECT_HOME": str(self.folder.parent / "prefect"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "HF_HUB_OFFLINE": "1",
            "NO_COLOR": "1",
        }
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=900,
        )
        assert (done.returncode == 0) == ok, done.stdout + done.stderr
        return done.stdout + done.stderr

    def hone(self, *arguments: str, ok: bool = True) -> str:
        return self.call(sys.executable, "-P", "-m", "hone", *arguments, ok=ok)

    def set(self, old: str, new: str) -> None:
        path = self.folder / "params.yaml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    folder = tmp_path_factory.mktemp("newcomer") / "hone"
    folder.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    shutil.copytree(ROOT / "data/raw/hone-ner", folder / "data/raw/hone-ner")
    shutil.copy(ROOT / "data/.gitignore", folder / "data/.gitignore")
    made = Clone(folder)
    made.set("epochs: 8", "epochs: 1")
    made.call("git", "init", "-q")
    made.call("git", "config", "user.name", "Newcomer")
    made.call("git", "config", "user.email", "newcomer@localhost")
    made.call("dvc", "init", "-q")
    made.call("git", "add", ".")
    made.call("git", "commit", "-qm", "clone")
    return made


def outs(clone: Clone) -> dict[str, bytes]:
    names = ["data/predictions.test.jsonl", "data/metrics.test.json", "data/model/model.safetensors", "dvc.lock"]
    return {name: (clone.folder / name).read_bytes() for name in names}


def test_both_doors_and_what_dvc_shows(clone: Clone) -> None:
    said = clone.call("dvc", "repro")
    assert all(f"Running stage '{stage}'" in said for stage in STAGES)
    first = outs(clone)
    assert json.loads(first["data/metrics.test.json"])["gold_entities"] == 596
    clone.call("git", "add", ".")
    clone.call("git", "commit", "-qm", "first run")

    said = clone.hone("run", "--engine", "local")
    assert said.count("unchanged") >= 4
    assert outs(clone) == first

    shutil.rmtree(clone.folder / "data/model")  # the flow trains anew and leaves the same bytes
    (clone.folder / "dvc.lock").unlink()
    shutil.rmtree(clone.folder / ".dvc/cache")
    clone.hone("run")
    assert outs(clone) == first

    clone.set("worst_mistakes: 300", "worst_mistakes: 3")
    said = clone.call("dvc", "repro")
    assert "Running stage 'report'" in said
    assert "Running stage 'evaluate'" not in said
    assert "worst_mistakes" in clone.call("dvc", "params", "diff")

    clone.set("learning_rate: 3.0e-4", "learning_rate: 5e-5")
    why = clone.hone("why", "finetune")
    assert "finetune.learning_rate" in why
    assert "0.0003" in why
    clone.call("dvc", "repro")
    assert "entity_f1" in clone.call("dvc", "metrics", "diff")
    assert "finetune.learning_rate" in clone.call("dvc", "params", "diff")
    assert "preprocess" in clone.call("dvc", "dag")
    assert "index.html" in clone.call("dvc", "plots", "show")
    assert "validation_f1" in (clone.folder / "dvc_plots/index.html").read_text()

    said = clone.call("dvc", "exp", "run", "-S", "finetune.learning_rate=3e-4", "-S", "report.worst_mistakes=300")
    assert "is cached - skipping run" in said
    assert outs(clone)["data/model/model.safetensors"] == first["data/model/model.safetensors"]

    assert "Merkel" in clone.hone("predict", "Angela Merkel visited Toyota in Nagoya.")


def test_bad_input_is_one_line_and_the_results_come_back(clone: Clone) -> None:
    clone.hone("run", "--engine", "local")
    before = outs(clone)
    raw = clone.folder / "data/raw/hone-ner/train.conll"
    text = raw.read_text()
    raw.write_text(text.replace("\tB-PER", "\tX-PER", 1))
    said = clone.hone("run", "--engine", "local", ok=False)
    assert "Traceback" not in said
    assert len([line for line in said.splitlines() if line.startswith("error:")]) == 1
    assert "train.conll:" in said
    raw.write_text(text)
    assert (clone.folder / "data/prepared/train.jsonl").exists()
    assert outs(clone) == before
    for old, new, key in (
        ("  epochs:", "  epoch:", "finetune.epoch"),
        ("batch_size: 16", "batch_size: many", "finetune.batch_size"),
        ("task: token_classification", "task: parsing", "task"),
        ("train.conll", "nowhere.conll", "nowhere.conll"),
    ):
        clone.set(old, new)
        said = clone.hone("run", "--engine", "local", ok=False)
        assert "Traceback" not in said
        assert key in said
        clone.set(new, old)
