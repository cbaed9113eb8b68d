"""hone and the plain Trainer side by side: same data, weights and settings, one pair of runs per seed, none dropped.

hone runs through the very commands of dvc.yaml, in a workspace of its own; the data/ of this project stays as it is.
Both sides keep the epoch that is best on validation, and one seqeval call scores the test predictions of both.
Run `python -m benchmarks.compare_seeds --help` in the project's folder.
"""

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from benchmarks.trainer import entity_f1

# Values of finetune with which hone does what the plain Trainer does; it has no others.
NEUTRAL: dict[str, Any] = {
    "micro_batch_size": 0,
    "processes": 1,
    "train_share": 1.0,
    "optimizer": "adamw",
    "schedule": "linear",
    "features": "last",
    "head": "linear",
    "class_weights": "none",
    "frozen_layers": 0,
    "layer_decay": 1.0,
    "patience": 0,
    "minimum_gain": 0.0,
    "max_steps": 0,
    "max_minutes": 0,
}

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--prepared", type=Path, help="folder that preprocess wrote")
    source.add_argument("--raw", type=Path, help="folder of raw files, prepared first as params.yaml says")
    parser.add_argument("--train", nargs="+", default=[], help="with --raw: files of the split")
    parser.add_argument("--validation", nargs="*", default=[], help="with --raw: files; none cuts it from train")
    parser.add_argument("--test", nargs="*", default=[], help="with --raw: files; none cuts it from train")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--epochs", type=int, help="else as in params.yaml, like all that follow")
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--max-length", type=int)
    parser.add_argument("--attention-dropout", type=float)
    parser.add_argument("--precision", choices=["bf16", "fp32"], default="fp32", help="of both sides")
    parser.add_argument("--device", choices=["cpu", "auto"], default="cpu", help="of both sides")
    parser.add_argument("--group-by-length", action="store_true", help="the Trainer groups sentences by length")
    parser.add_argument("--output", type=Path, required=True, help="folder of comparison.json and comparison.md")
    options = parser.parse_args()
    if options.raw and not options.train:
        parser.error("--raw needs --train FILE...")

    settings = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")
    settings["compute"]["precision"] = options.precision
    settings["compute"]["device"] = options.device
    for name in ("epochs", "learning_rate", "batch_size", "max_length", "attention_dropout"):
        if getattr(options, name) is not None:
            settings["finetune"][name] = getattr(options, name)
    options.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="hone-comparison-") as folder:
        workspace = make_workspace(Path(folder), settings["finetune"]["model"])
        if options.raw:
            shutil.copytree(options.raw, workspace / "data/raw/raw")  # preprocess refuses links out of data/raw
            settings |= {"dataset": "raw"}
            settings["splits"] = {name: getattr(options, name) for name in ("train", "validation", "test")}
            write_params(workspace, settings)
            run_stage(workspace, "preprocess", settings)
        else:
            link(workspace / "data/prepared", options.prepared)
        pairs = []
        for seed in options.seeds:
            pair = {"seed": seed} | hone(workspace, settings | {"seed": seed})
            pair |= trainer(workspace, settings | {"seed": seed}, group_by_length=options.group_by_length)
            pairs.append(pair)
            report = summary(pairs) | {"settings": {key: settings[key] for key in ("compute", "finetune")}}
            write(options.output, report)  # after every seed, so that a stop loses none
            say(f"seed {seed}: hone {pair['hone']:.4f}, Trainer {pair['trainer']:.4f}")
    sys.stdout.write((options.output / "comparison.md").read_text(encoding="utf-8"))


def hone(workspace: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Strict F1 on test of hone's finetune and evaluate with these params, and the seconds of finetune.

    Raises:
        ValueError: hone's own figure is not the one that seqeval gives for its predictions.
    """
    write_params(workspace, settings)
    seconds = run_stage(workspace, "finetune", settings)
    run_stage(workspace, "evaluate", settings)
    gold, predicted = read_predictions(workspace / "data/predictions.test.jsonl")
    figure = entity_f1(gold, predicted)
    own = json.loads((workspace / "data/metrics.test.json").read_text(encoding="utf-8"))["entity_f1"]
    if abs(figure - own) > 1e-6:
        raise ValueError(f"hone says strict F1 {own}, seqeval says {figure} of the same predictions")
    return {"hone": figure, "hone_seconds": round(seconds, 1), "entities": count(gold)}


def trainer(workspace: Path, settings: dict[str, Any], *, group_by_length: bool) -> dict[str, Any]:
    """Strict F1 on test of benchmarks/trainer.py with the same settings, and the seconds of its process."""
    predictions = workspace / "trainer.jsonl"
    predictions.unlink(missing_ok=True)
    command = [sys.executable, "-m", "benchmarks.trainer", "--prepared", str(workspace / "data/prepared")]
    command += ["--predictions", str(predictions), *trainer_options(settings)]
    command += ["--group-by-length"] if group_by_length else []
    started = time.monotonic()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - started
    gold, predicted = read_predictions(predictions)
    return {
        "trainer": entity_f1(gold, predicted),
        "trainer_seconds": round(seconds, 1),
        "trainer_entities": count(gold),
    }


def trainer_options(settings: dict[str, Any]) -> list[str]:
    """The options of benchmarks/trainer.py that say what these params say.

    Raises:
        ValueError: params ask for what the plain Trainer does not do.
    """
    finetune = settings["finetune"]
    rank = finetune["lora"]["rank"]
    beyond = [name for name, value in NEUTRAL.items() if finetune[name] != value] + ["lora"] * (rank > 0)
    if beyond:
        raise ValueError(f"the Trainer of this comparison has no {', '.join(beyond)}; set the value of NEUTRAL")
    names = (
        "model epochs batch_size learning_rate weight_decay warmup_ratio max_gradient_norm "
        "max_length dropout attention_dropout"
    )
    pairs = {name: finetune[name] for name in names.split()}
    pairs |= {
        "seed": settings["seed"],
        "device": settings["compute"]["device"],
        "precision": settings["compute"]["precision"],
        "threads": settings["compute"]["threads"],
    }
    if finetune["revision"] != "embedded":
        pairs["revision"] = finetune["revision"]
    return [word for name, value in pairs.items() for word in (f"--{name.replace('_', '-')}", str(value))]


def summary(pairs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means and the paired difference hone - Trainer with its 95 % interval (Student's t over the seeds).

    Raises:
        ValueError: both sides did not score the same gold entities.
    """
    for pair in pairs:
        if pair["entities"] != pair["trainer_entities"]:
            raise ValueError(
                f"seed {pair['seed']}: hone scored {pair['entities']} gold entities, the Trainer "
                f"{pair['trainer_entities']}"
            )
    differences = [pair["hone"] - pair["trainer"] for pair in pairs]
    return {
        "difference": statistics.fmean(differences),
        "difference_interval_95": interval(differences),
        "hone_mean": statistics.fmean(pair["hone"] for pair in pairs),
        "pairs": list(pairs),
        "trainer_mean": statistics.fmean(pair["trainer"] for pair in pairs),
    }


def interval(values: Sequence[float]) -> list[float] | None:
    """Two-sided 95 % interval of the mean by Student's t; None for fewer than two values."""
    from scipy.stats import t

    if len(values) < 2:
        return None
    half = float(t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / math.sqrt(len(values))
    return [statistics.fmean(values) - half, statistics.fmean(values) + half]


def table(report: dict[str, Any]) -> str:
    """The comparison as Markdown, in points of strict F1 (0 to 100)."""
    lines = ["| seed | hone | Trainer | difference | hone, s | Trainer, s |", "|---|---|---|---|---|---|"]
    for pair in report["pairs"]:
        hone, other = 100 * pair["hone"], 100 * pair["trainer"]
        times = f"{pair['hone_seconds']:.0f} | {pair['trainer_seconds']:.0f}"
        lines.append(f"| {pair['seed']} | {hone:.2f} | {other:.2f} | {hone - other:+.2f} | {times} |")
    means = f"{100 * report['hone_mean']:.2f} | {100 * report['trainer_mean']:.2f} | {100 * report['difference']:+.2f}"
    lines.append(f"| mean | {means} | | |")
    bounds = report["difference_interval_95"]
    if bounds is None:
        said = "One seed: no interval."
    else:
        said = f"95 % interval of the difference over {len(report['pairs'])} seeds: "
        said += f"{100 * bounds[0]:+.2f} to {100 * bounds[1]:+.2f} points."
    lines += ["", f"Strict entity F1 on test, {report['pairs'][0]['entities']} gold entities. {said}"]
    return "\n".join(lines) + "\n"


def write(folder: Path, report: dict[str, Any]) -> None:
    text = json.dumps(report, indent=2, sort_keys=True, ensure_ascii=False)
    (folder / "comparison.json").write_text(text + "\n", encoding="utf-8")
    (folder / "comparison.md").write_text(table(report), encoding="utf-8")


def make_workspace(folder: Path, model: str) -> Path:
    """A folder in which the commands of dvc.yaml find what they read and write nothing of this project."""
    for name in ("tasks", "numerics.lock"):
        if (ROOT / name).exists():
            link(folder / name, ROOT / name)
    if (ROOT / model).is_dir():
        link(folder / model, ROOT / model)
    return folder


def link(place: Path, target: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target.resolve(strict=True))


def write_params(workspace: Path, settings: dict[str, Any]) -> None:
    with (workspace / "params.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(settings, file)


def run_stage(workspace: Path, stage: str, settings: dict[str, Any]) -> float:
    """Run the command that dvc.yaml gives for ``stage``; return its seconds."""
    command = YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")["stages"][stage]["cmd"]
    for name in ("dataset", "task"):
        command = command.replace("${" + name + "}", settings[name])
    if stage == "finetune":
        shutil.rmtree(workspace / "data/model", ignore_errors=True)
    started = time.monotonic()
    environment = os.environ | {"HONE_PYTHON": sys.executable, "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run(["/bin/sh", "-c", command], cwd=workspace, env=environment, check=True)
    return time.monotonic() - started


def read_predictions(path: Path) -> tuple[list[list[str]], list[list[str]]]:
    """Gold and predicted tags of each sentence."""
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [row["gold"] for row in rows], [row["predicted"] for row in rows]


def count(tags: Sequence[Sequence[str]]) -> int:
    """Entities in IOB2 tags."""
    return sum(tag.startswith("B-") for sentence in tags for tag in sentence)


def say(message: str) -> None:
    sys.stderr.write(message + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
