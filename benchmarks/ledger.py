"""How long `hone ledger` takes over a long history: 1,000 commits with results, by `git fast-import`, and some trials.

Nothing is trained: each commit has params, lock, metrics and cost of a run, and small predictions lie in DVC's cache.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tasks.records import Prediction

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(".dvc/cache/files/md5")
TAGS = (["B-PER", "O", "B-LOC"], ["O", "B-ORG", "I-ORG"], ["O", "O", "O"])
MISSED = ["O", "O", "O"]
SENTENCES = 90
IDENTITY = "t <t@localhost>"


def make(folder: Path, commits: int, *, trials: int = 0, seed: int = 1) -> None:
    """A project in ``folder`` with a history; each commit has another learning rate and another model."""
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc/config").write_text("")
    chance = random.Random(seed)
    _git(folder, "init", "-q", "-b", "main")
    stream, start = [], 1_700_000_000
    share = 0.5
    for number in range(commits):
        share = min(0.95, max(0.3, share + chance.gauss(0.001, 0.03)))
        files = state(folder, number, share, chance)
        lines = "".join(f"M 100644 inline {path}\ndata {len(text.encode())}\n{text}\n" for path, text in files.items())
        subject = f"Iteration {number}"
        stream.append(
            f"commit refs/heads/main\nmark :{number + 1}\ncommitter {IDENTITY} {start + 3600 * number} +0000\n"
            f"data {len(subject)}\n{subject}\n{f'from :{number}{chr(10)}' if number else ''}{lines}\n"
        )
    _git(folder, "fast-import", "--quiet", stdin="".join(stream))
    _git(folder, "reset", "-q", "--hard", "main")
    for number in range(trials):
        trial(folder, f"trial-{number}", commits + number, share + chance.gauss(0, 0.05), chance)


def state(folder: Path, number: int, share: float, chance: random.Random) -> dict[str, str]:
    """The files of a run in which ``share`` of the sentences are right; its predictions go into the cache."""
    outs, metrics = {"data/model": hashlib.md5(str(number).encode()).hexdigest() + ".dir"}, {}
    for split in ("validation", "test"):
        predictions = [
            Prediction(
                f"{split}.conll:{one}", TAGS[one % 3], TAGS[one % 3] if chance.random() < share else ["O"] * 3, []
            )
            for one in range(SENTENCES)
        ]
        text = "".join(
            json.dumps({"id": one.id, "gold": one.gold, "predicted": one.predicted, "confidence": [0.9] * 3,
                        "document": str(index // 3), "runner_up": [], "runner_up_confidence": []}) + "\n"
            for index, one in enumerate(predictions)
        )  # fmt: skip
        md5 = hashlib.md5(text.encode()).hexdigest()
        path = folder / CACHE / md5[:2] / md5[2:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        outs[f"data/predictions.{split}.jsonl"] = md5
        metrics[split] = figure(predictions)
    params = (
        (ROOT / "params.yaml").read_text().replace("learning_rate: 3.0e-4", f"learning_rate: {1e-5 * (number + 1):.6f}")
    )
    cost = {"seconds": round(200 + chance.random() * 100, 1), "peak_memory_mb": 1200}
    return {
        "params.yaml": params,
        "dvc.yaml": (ROOT / "dvc.yaml").read_text(),
        "dvc.lock": lock(outs),
        "data/metrics.validation.json": json.dumps(metrics["validation"]) + "\n",
        "data/metrics.test.json": json.dumps(metrics["test"]) + "\n",
        "data/cost/finetune.json": json.dumps(cost) + "\n",
    }


def figure(predictions: list[Prediction]) -> dict[str, float]:
    """Metrics as evaluate writes them, as far as the ledger reads them."""
    from tasks.scoring.entities import HEADLINE

    value = round(HEADLINE.of(predictions), 6)
    return {HEADLINE.name: value, f"{HEADLINE.name}_low": value - 0.05, f"{HEADLINE.name}_high": value + 0.05}


def lock(outs: dict[str, str], data: str = "0" * 32, code: str = "1" * 32) -> str:
    """A dvc.lock with so many deps as the real one."""
    deps = {"data/raw/hone-ner": f"{data}.dir", **{f"tasks/module_{number}.py": code for number in range(40)}}
    lines = ["schema: '2.0'", "stages:", "  evaluate:", "    cmd: tasks/python -m tasks.evaluate", "    deps:"]
    for path, md5 in deps.items():
        lines += [f"    - path: {path}", "      hash: md5", f"      md5: {md5}", "      size: 1000"]
    lines.append("    outs:")
    for path, md5 in outs.items():
        lines += [f"    - path: {path}", "      hash: md5", f"      md5: {md5}", "      size: 1000"]
    return "\n".join(lines) + "\n"


def trial(folder: Path, name: str, number: int, share: float, chance: random.Random, **said: Any) -> str:
    """Record a trial on HEAD as hone does; its commit."""
    from flows.trials.experiment import message, ref
    from flows.trials.trial import Trial

    base = _git(folder, "rev-parse", "HEAD")
    index = {"GIT_INDEX_FILE": str(folder / ".git/index-of-trial")}
    _git(folder, "read-tree", base, also=index)
    for path, text in (state(folder, number, share, chance) | said.pop("files", {})).items():
        blob = _git(folder, "hash-object", "-w", "--stdin", stdin=text)
        _git(folder, "update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", also=index)
    facts = {
        "key": name,
        "metrics": {split: f"data/metrics.{split}.json" for split in ("validation", "test")},
        "cost": {"seconds": 60.0},
    }
    asked = Trial(name, {}, said.get("kind", "try"), "try", said.get("reason", ""), said.get("expect"))
    commit = _git(
        folder, "commit-tree", _git(folder, "write-tree", also=index), "-p", base, stdin=message(asked, facts)
    )
    _git(folder, "update-ref", ref(base, name), commit)
    return commit


def _git(folder: Path, *arguments: str, stdin: str = "", also: dict[str, str] | None = None) -> str:
    identity = {f"GIT_{who}_{what}": "t@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**os.environ, **identity, **(also or {})}
    done = subprocess.run(["git", *arguments], cwd=folder, env=environment, input=stdin, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"git {arguments[0]}: {done.stderr}")
    return done.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commits", type=int, default=1000)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, help="JSON with the seconds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "project"
        make(folder, options.commits, trials=options.trials)
        found: dict[str, Any] = {"commits": options.commits, "trials": options.trials}
        found["first_seconds"] = timed(folder)
        found["later_seconds"] = sorted(timed(folder) for _ in range(options.repeats))
        found["lessons_first_seconds"] = timed(folder, "--lessons")
        found["lessons_later_seconds"] = timed(folder, "--lessons")
        shutil.rmtree(folder / ".dvc/cache")
        shutil.rmtree(folder / ".dvc/tmp")
        timed(folder)
        found["without_predictions_seconds"] = timed(folder)
    text = json.dumps(found, indent=2)
    print(text)
    if options.output:
        options.output.write_text(text + "\n")


def timed(folder: Path, *arguments: str) -> float:
    """Seconds of `hone ledger`."""
    started = time.monotonic()
    command = [sys.executable, "-m", "hone", "ledger", *arguments]
    subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, capture_output=True)
    return round(time.monotonic() - started, 2)


if __name__ == "__main__":
    main()
