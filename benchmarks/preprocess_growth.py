"""Around training: growth of preprocess, rates of reading, tokenising and decoding, `dvc repro` with no change.

Sentences of CoNLL's lengths are generated in a temporary folder; the project's data/ is never touched.
`python -m benchmarks.preprocess_growth --help` says what can be changed.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from ruamel.yaml import YAML

from benchmarks import corpora, machine
from benchmarks.compare_seeds import make_workspace, say, write_params
from benchmarks.dvc_no_change import time_commands
from benchmarks.step_times import peak_memory

ROOT = Path(__file__).resolve().parent.parent
COUNTS = (10_000, 100_000, 1_000_000)
GOES = 5  # of each function, of which the median counts
MEMORY_LIMIT = 1500  # MB, for any number of sentences
RATE_FLOOR = 20_000  # sentences a second
REPRO_LIMIT = 1.5  # times `dvc status`
NEW_WORDS = 9  # words to one that stands nowhere else
POLL = 0.02  # seconds between two looks at the memory of a process
SLOPE_LIMIT = 1.1  # exponent of the growth; 1 is linear


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=list(COUNTS), help="sentences; at least two, rising")
    parser.add_argument("--rate-sentences", type=int, default=20_000, help="for reading, tokenising and decoding")
    parser.add_argument("--repeats", type=int, default=5, help="of `dvc status` and `dvc repro`; 0 leaves them out")
    parser.add_argument("--output", type=Path, help="JSON file, and the table beside it as .md")
    parser.add_argument("--check", action="store_true", help="leave with 1 if a floor is missed")
    options = parser.parse_args()
    if len(options.counts) < 2 or sorted(set(options.counts)) != options.counts:
        parser.error("--counts takes at least two rising numbers")
    settings = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")
    here = machine.describe("cpu", settings["compute"]["threads"])
    say(here.line())
    with tempfile.TemporaryDirectory(prefix="hone-growth-") as folder:
        growth = []
        for count in options.counts:
            growth.append(preprocess(Path(folder) / str(count), count, settings))
            say(f"preprocess of {count:,} sentences: {growth[-1]['seconds']:.1f} s")
        rates = rates_of(Path(folder) / "rates", options.rate_sentences, settings)
        no_change = time_commands(Path(folder) / "dvc", options.repeats) if options.repeats else None
    report = {
        "growth": growth,
        "machine": here.plain(),
        "machine_line": here.line(),
        "no_change": no_change,
        "rates": rates,
        "slope": slope(growth),
    }
    text = render(report)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(report, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        options.output.with_suffix(".md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    sys.exit(1 if options.check and "**fail**" in text else 0)


def preprocess(folder: Path, count: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Seconds and peak memory of the stage preprocess, as a process of its own, over ``count`` sentences."""
    folder.mkdir()
    workspace = make_workspace(folder, settings["finetune"]["model"])
    corpora.write_conll(workspace / "data/raw/generated/train.conll", count)
    splits = {"train": ["train.conll"], "validation": [], "test": []}
    write_params(workspace, settings | {"dataset": "generated", "splits": splits})
    stage = ["--raw", "data/raw/generated", "--prepared", "data/prepared", "--cost", "data/cost.json"]
    seconds, peak = run_alone([sys.executable, "-m", "tasks.preprocess", *stage], workspace)
    return {"peak_memory_mb": round(peak / 2**20), "seconds": round(seconds, 2), "sentences": count}


def run_alone(command: Sequence[str], folder: Path) -> tuple[float, int]:
    """Run a command in ``folder``; its seconds and the most resident memory that it took, in bytes.

    Raises:
        RuntimeError: it failed; with the end of what it said.
    """
    peak = 0
    with tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=said)
        while True:
            try:
                code = process.wait(timeout=POLL)
                break
            except subprocess.TimeoutExpired:
                peak = max(peak, peak_memory(process.pid))  # only grows, so the last look misses the last moment alone
        seconds = time.perf_counter() - started
        if code:
            said.seek(0)
            raise RuntimeError(f"{' '.join(command)} failed:\n{said.read().decode(errors='replace')[-3000:]}")
    return seconds, peak


def slope(growth: Sequence[dict[str, Any]]) -> float:
    """Exponent of the growth between the last two sizes: seconds rise as sentences to that power; 1 is linear.

    Raises:
        ValueError: fewer than two sizes.
    """
    if len(growth) < 2:
        raise ValueError("growth needs two sizes")
    before, last = growth[-2:]
    return math.log(last["seconds"] / before["seconds"]) / math.log(last["sentences"] / before["sentences"])


def rates_of(folder: Path, count: int, settings: dict[str, Any]) -> dict[str, float]:
    """Sentences per second of hone's own functions over ``count`` sentences, the median of five goes each.

    Probabilities are drawn at random, so that nearly every sentence needs the search for valid tags: the worst case.
    """
    import numpy as np
    import torch

    from tasks import adapters, models, records
    from tasks.crf import Crf
    from tasks.sources import reader
    from tasks.stage import settle

    adapter = adapters.find("token_classification")
    prepared = corpora.write_prepared(folder, count)
    raw = corpora.write_conll(folder / "train.conll", count)
    examples = varied(list(records.read_examples(prepared / "train.jsonl")))
    classes = adapter.classes(records.read_json(prepared / "labels.json"))
    finetune = settings["finetune"]
    torch.set_num_threads(settings["compute"]["threads"])
    os.environ["RAYON_NUM_THREADS"] = str(settings["compute"]["threads"])  # the tokenizer's
    tokenizer = models.load_tokenizer(*models.resolve(finetune["model"], finetune["revision"]))
    shape = (finetune["max_length"], finetune["window_overlap"])
    chain = Crf(1, classes)
    settle()  # as the stages do
    windows = adapter.encode(examples, tokenizer, classes, *shape)
    source = np.random.default_rng(1)
    answers = [(window, source.random((len(window.parts), len(classes)), dtype=np.float32)) for window in windows]

    def rate(work: Callable[[], Any]) -> float:
        taken = []
        for _ in range(GOES):
            started = time.perf_counter()
            work()
            taken.append(time.perf_counter() - started)
        return count / median(taken)

    return {
        "reading prepared examples": rate(lambda: list(records.read_examples(prepared / "train.jsonl"))),
        "reading raw columns": rate(lambda: sum(1 for _ in reader("conll")(raw, raw.name))),
        "reading raw JSON lines": rate(lambda: sum(1 for _ in reader("jsonl")(prepared / "train.jsonl", raw.name))),
        "tokenising": rate(lambda: adapter.encode(examples, tokenizer, classes, *shape)),
        "decoding": rate(lambda: adapter.decode(examples, answers, classes, None)),
        "decoding with a chain of tags": rate(lambda: adapter.decode(examples, chain.resolve(answers), classes, None)),
    }


def varied(examples: list[Any]) -> list[Any]:
    """The examples with every ninth word made one of its own, as rich in words as CoNLL-2003, which repeats more than
    the shipped corpus has words to give: a tokenizer cuts a word that it has met in no time.
    """
    from dataclasses import replace

    made, count = [], 0
    for example in examples:
        words = list(example.inputs["words"])
        for place in range(-count % NEW_WORDS, len(words), NEW_WORDS):
            words[place] += f"{count + place:x}"
        count += len(words)
        made.append(replace(example, inputs={"words": words}))
    return made


def render(report: dict[str, Any]) -> str:
    """The whole report as Markdown."""
    lines = ["# Around training", "", f"{report['machine_line']}.", ""]
    lines += ["| preprocess of | seconds | sentences/s | peak memory, MB | |", "|---|---|---|---|---|"]
    for one in report["growth"]:
        lines.append(
            f"| {one['sentences']:,} sentences | {one['seconds']:.1f} | {one['sentences'] / one['seconds']:,.0f} | "
            f"{one['peak_memory_mb']} | {judged(one['peak_memory_mb'] < MEMORY_LIMIT)} (limit {MEMORY_LIMIT} MB) |"
        )
    sizes = " to ".join(f"{one['sentences']:,}" for one in report["growth"][-2:])
    lines += [
        "",
        f"Seconds grow as the number of sentences to the power {report['slope']:.2f} ({sizes}; linear is 1, limit "
        f"{SLOPE_LIMIT:g}): {judged(report['slope'] <= SLOPE_LIMIT)}.",
        "",
        "| | sentences/s | floor | |",
        "|---|---|---|---|",
    ]
    for name, rate in report["rates"].items():
        lines.append(f"| {name} | {rate:,.0f} | {RATE_FLOOR:,} | {judged(rate >= RATE_FLOOR)} |")
    if found := report["no_change"]:
        lines += [
            "",
            f"Nothing changed: `dvc status` {found['status_seconds']:.2f} s, `dvc repro` "
            f"{found['repro_seconds']:.2f} s, {found['ratio']:.2f} times (limit "
            f"{REPRO_LIMIT:g}): {judged(found['ratio'] <= REPRO_LIMIT)}.",
        ]
    return "\n".join(lines) + "\n"


def judged(passed: bool) -> str:
    return "pass" if passed else "**fail**"


if __name__ == "__main__":
    main()
