"""hone against three plain Trainers in one paired run on this machine: sentences per second, the roof, peak memory.

Each side runs in a process of its own, in turns (A B A B ...), with the same weights, sentences per optimizer step,
epochs, schedule and seed. Start-up, tokenizing and the first steps are not in the figures. `make bench` runs this;
`python -m benchmarks.speed --help` says what can be changed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from benchmarks import corpora, machine, speed_table
from benchmarks.compare_seeds import make_workspace, run_stage, say, write_params
from benchmarks.opponents import OPPONENTS

ROOT = Path(__file__).resolve().parent.parent
SENTENCES = 4000  # of CoNLL's lengths
# Warm-up and measured steps of each side; the slow ones get few. group_by_length runs through 50 batches from the
# longest sentences to the shortest, so the strong one is measured over all of them. In bf16 oneDNN writes code for each
# new length of a batch, which a run pays for once: both sides that compute in it warm up over the first 50 batches.
STEPS = {"padded": (1, 8), "default": (3, 30), "strong": (52, 48), "hone": (50, 80)}
QUICK = {"padded": (1, 5), "default": (2, 16), "strong": (52, 48), "hone": (50, 50)}
ROUNDS = {"conll": 5, "wnut17": 3}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="about three minutes: fewer steps, only CoNLL's lengths")
    parser.add_argument("--rounds", type=int, help="alternations per corpus, else 5 and 3")
    parser.add_argument("--corpora", nargs="+", choices=sorted(ROUNDS), help="else those that are at hand")
    parser.add_argument("--wnut17", type=Path, default=corpora.WNUT17, help="folder with train.conll and dev.conll")
    parser.add_argument("--opponents", nargs="+", choices=sorted(OPPONENTS), default=list(OPPONENTS))
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="params, e.g. compute.threads=4")
    parser.add_argument("--output", type=Path, help="JSON file, and the table beside it as .md")
    parser.add_argument("--check", action="store_true", help="leave with 1 if a floor is missed, 2 if the run is void")
    options = parser.parse_args()
    settings = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")
    for assignment in options.set:
        assign(settings, assignment)
    names = options.corpora or (["conll"] if options.quick else ["conll", "wnut17"])
    if "wnut17" in names and not options.wnut17.is_dir():
        if options.corpora:
            parser.error(f"no folder {options.wnut17}; name it with --wnut17")
        say(f"no folder {options.wnut17}: only sentences of CoNLL's lengths are measured")
        names.remove("wnut17")
    rounds = {name: options.rounds or (2 if options.quick else ROUNDS[name]) for name in names}
    report = measure(settings, rounds, options.opponents, QUICK if options.quick else STEPS, options.wnut17)
    text = speed_table.render(report)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(report, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        options.output.with_suffix(".md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    if options.check:
        sys.exit(2 if speed_table.voids(report) else 1 if speed_table.failures(report) else 0)


def measure(
    settings: dict[str, Any],
    rounds: dict[str, int],
    opponents: list[str],
    steps: dict[str, tuple[int, int]],
    wnut17: Path,
) -> dict[str, Any]:
    """The report: every side of every round, and what follows from them.

    Args:
        settings: of params.yaml.
        rounds: how often each corpus is gone through.
        opponents: names of those that take part.
        steps: warm-up and measured steps by opponent, and of ``hone``.
        wnut17: its folder.
    """
    here = machine.describe(settings["compute"]["device"], settings["compute"]["threads"])
    say(here.line())
    report: dict[str, Any] = {"corpora": {}, "machine": here.plain(), "machine_line": here.line(), "steps": steps}
    report["references_hold"] = here.comparable()
    report["settings"] = {key: settings[key] for key in ("compute", "finetune", "seed")}
    with tempfile.TemporaryDirectory(prefix="hone-speed-") as folder:
        for name, count in rounds.items():
            prepared = prepare(Path(folder), name, settings, wnut17)
            turns = []
            for turn in range(1, count + 1):
                sides = one_round(Path(folder), prepared, settings, opponents, steps, here)
                turns.append(sides)
                speeds = ", ".join(
                    f"{side} {found['sentences_per_second']:.1f}" for side, found in sides.items() if side != "roof"
                )
                say(f"{name}, round {turn} of {count}, sentences/s: {speeds}")
            report["corpora"][name] = {
                "memory": speed_table.memory(turns),
                "opponents": speed_table.compare(turns, comparable=here.comparable() and name == "conll"),
                "roof": speed_table.under_roof(turns),
                "rounds": count,
                "turns": turns,
                "words": words_of(prepared),
            }
    return report


def one_round(
    folder: Path,
    prepared: Path,
    settings: dict[str, Any],
    opponents: list[str],
    steps: dict[str, tuple[int, int]],
    here: machine.Machine,
) -> dict[str, dict[str, Any]]:
    """Each side once, hone next to the opponents of its batch size."""
    roof = ["roof", "--threads", str(here.threads), "--device", here.device]
    sides = {"roof": child(roof if here.bf16 else [*roof, "--fp32"])}
    for batch in sorted({OPPONENTS[name].batch for name in opponents}, reverse=True):
        same = [name for name in opponents if OPPONENTS[name].batch == batch]
        for name in [*same[1:], f"hone-{batch}", *same[:1]]:
            side = name.partition("-")[0]
            bounds = ["--warmup", str(steps[side][0]), "--steps", str(steps[side][1])]
            if side == "hone":
                with tempfile.TemporaryDirectory(dir=folder) as place:  # a fresh one: nothing to resume
                    workspace = make_workspace(Path(place), settings["finetune"]["model"])
                    (workspace / "data").mkdir()
                    (workspace / "data" / "prepared").symlink_to(prepared)
                    write_params(workspace, settings | {"finetune": settings["finetune"] | {"batch_size": batch}})
                    sides[name] = child(["hone_side", "--workspace", str(workspace), *bounds])
            else:
                plain = ["opponents", name, "--prepared", str(prepared), "--settings", json.dumps(settings)]
                sides[name] = child([*plain, *bounds, *([] if here.bf16 else ["--no-bf16"])])
    return sides


def prepare(folder: Path, name: str, settings: dict[str, Any], wnut17: Path) -> Path:
    """A prepared folder of the corpus ``name``."""
    if name == "conll":
        return corpora.write_prepared(folder / name, SENTENCES)
    workspace = make_workspace(folder / name, settings["finetune"]["model"])
    raw = workspace / "data" / "raw" / name
    raw.mkdir(parents=True)
    for file in ("train.conll", "dev.conll"):  # preprocess refuses links that lead out of the dataset
        (raw / file).write_bytes((wnut17 / file).read_bytes())
    splits = {"train": ["train.conll"], "validation": [], "test": ["dev.conll"]}
    changed = settings | {"dataset": name, "splits": splits}
    write_params(workspace, changed)
    run_stage(workspace, "preprocess", changed)
    return workspace / "data" / "prepared"


def child(words: list[str]) -> dict[str, Any]:
    """Run a module of this folder in a process of its own; return the JSON that it prints.

    Raises:
        RuntimeError: it failed; with the end of what it said.
    """
    command = [sys.executable, "-m", f"benchmarks.{words[0]}", *words[1:]]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"benchmarks.{words[0]} left with {done.returncode}:\n{done.stderr[-3000:]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def words_of(prepared: Path) -> dict[str, float]:
    """Words per sentence of train: mean, median, 90th percentile, maximum, and the number of sentences."""
    with (prepared / "train.jsonl").open(encoding="utf-8") as file:
        lengths = sorted(len(json.loads(line)["inputs"]["words"]) for line in file)
    return {
        "maximum": lengths[-1],
        "mean": round(statistics.fmean(lengths), 2),
        "median": statistics.median(lengths),
        "percentile_90": lengths[int(0.9 * len(lengths))],
        "sentences": len(lengths),
    }


def assign(settings: dict[str, Any], assignment: str) -> None:
    """Set ``block.key=value`` in place.

    Raises:
        SystemExit: there is no such key.
    """
    key, found, value = assignment.partition("=")
    *blocks, last = key.split(".")
    inner = settings
    for block in blocks:
        inner = inner.get(block, {}) if isinstance(inner, dict) else {}
    if not found or not isinstance(inner, dict) or last not in inner:
        sys.exit(f"--set {assignment}: params.yaml has no {key!r}; write e.g. compute.threads=4")
    inner[last] = YAML(typ="safe", pure=True).load(value)


if __name__ == "__main__":
    main()
