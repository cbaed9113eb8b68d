"""How long `dvc repro` takes where nothing changed, against `dvc status`.

Measured on this pipeline in a folder of its own, with placeholders as outs that DVC is told to take for the real ones:
so nothing is ever trained, whatever state the project is in.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("tasks", "params.yaml", "dvc.yaml", "numerics.lock", ".dvc/config", ".dvcignore")


def time_commands(folder: Path, repeats: int) -> dict[str, Any]:
    """Median seconds of `dvc status` and `dvc repro`, in turns, and the median of their ratios.

    Raises:
        RuntimeError: dvc failed, or found something to do.
    """
    make_pipeline(folder)
    status, repro = [], []
    for _ in range(repeats):
        status.append(_timed(folder, "status"))
        repro.append(_timed(folder, "repro"))
    return {
        "ratio": median(slow / quick for slow, quick in zip(repro, status, strict=True)),
        "repro_seconds": median(repro),
        "status_seconds": median(status),
    }


def make_pipeline(folder: Path) -> None:
    """A copy of this pipeline in ``folder`` in which every stage is up to date."""
    folder.mkdir(parents=True)
    ignored = shutil.ignore_patterns("__pycache__")
    yaml = YAML(typ="safe", pure=True)
    settings = yaml.load(ROOT / "params.yaml")
    for name in (*COPIED, f"data/raw/{settings['dataset']}"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder / name)
    for stage in yaml.load(ROOT / "dvc.yaml")["stages"].values():
        for out in (*stage.get("outs", []), *stage.get("metrics", []), *stage.get("plots", [])):
            path = folder / (out if isinstance(out, str) else next(iter(out)))
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix:
                path.write_text("{}\n", encoding="utf-8")
            else:
                path.mkdir()
                (path / "placeholder").write_text("\n", encoding="utf-8")
    _git(folder, "init", "--quiet")
    _dvc(folder, "commit", "--force", "--quiet")
    _git(folder, "add", "--all")
    _git(folder, "-c", "user.name=benchmark", "-c", "user.email=", "commit", "--quiet", "--message", "up to date")


def _timed(folder: Path, command: str) -> float:
    started = time.perf_counter()
    said = _dvc(folder, command)
    seconds = time.perf_counter() - started
    if "up to date" not in said:
        raise RuntimeError(f"dvc {command} found something to do where nothing had changed:\n{said[-2000:]}")
    return seconds


def _git(folder: Path, *words: str) -> None:
    _run(["git", *words], folder, dict(os.environ))


def _dvc(folder: Path, *words: str) -> str:
    environment = os.environ | {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(folder / ".dvc" / "site")}
    return _run([sys.executable, "-m", "dvc", *words], folder, environment)


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} left with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout + done.stderr
