"""An exported tagger against transformers.pipeline with batch 1 and 32, in one paired run over the same raw texts.

Each side gets the same texts in the same order, in turns (A B C A B C ...), within one process and with the same
threads; loading is not in the figures. Texts are the sentences of validation and test with a space between words.
Quality is strict F1 over characters on them, as the pipeline cuts texts in its own way.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import describe
from tasks import onnx_model, tags
from tasks.records import Example, read_examples

ROOT = Path(__file__).resolve().parent.parent
TARGETS = {1: 6.0, 32: 3.0}  # times as fast as the pipeline at least, by its batch size

Found = set[tuple[int, int, int, str]]  # number of the text, first character, the one behind the last, type
Side = Callable[[Sequence[str]], Found]


def main() -> int:
    """Measure and say it; 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=ROOT / "data/model")
    parser.add_argument("--export", type=Path, default=ROOT / "data/export")
    parser.add_argument("--prepared", type=Path, default=ROOT / "data/prepared")
    parser.add_argument("--threads", type=int, default=onnx_model.cores())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--texts", type=int, default=0, help="how many; 0 means all")
    given = parser.parse_args()
    examples = [one for name in ("validation", "test") for one in read_examples(given.prepared / f"{name}.jsonl")]
    examples = examples[: given.texts or None]
    texts = [" ".join(example.inputs["words"]) for example in examples]
    gold = gold_spans(examples)
    here = describe("cpu", given.threads)
    sides = {"hone": hone(given.export, given.threads)}
    sides |= {f"pipeline, batch {size}": pipeline(given.model, given.threads, size) for size in TARGETS}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    quality = {}
    for side in sides.values():
        side(texts[:64])
    for _ in range(given.rounds):
        for name, side in sides.items():
            started = time.perf_counter()
            found = side(texts)
            seconds[name].append(time.perf_counter() - started)
            quality[name] = f1(gold, found)
    lines = [f"{here.line()}; {len(texts)} texts, {given.rounds} rounds, medians", ""]
    lines += [
        "| side | texts/s | strict F1 on raw text | hone is so many times as fast | at least |",
        "|---|---|---|---|---|",
    ]
    missed = False
    for name, taken in seconds.items():
        speed, ratio, least = len(texts) / statistics.median(taken), "", ""
        if name != "hone":
            times = statistics.median(other / own for other, own in zip(taken, seconds["hone"], strict=True))
            floor = TARGETS[int(name.rpartition(" ")[2])]
            ratio, least, missed = f"{times:.1f}x", f"{floor:g}x", missed or times < floor
        lines.append(f"| {name} | {speed:.0f} | {quality[name]:.4f} | {ratio} | {least} |")
    card = json.loads((given.export / "export.json").read_text(encoding="utf-8"))
    lines += [
        "",
        f"hone ran the {card['offered']} graph; the pipeline the model in float32, aggregation_strategy 'first'.",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return int(missed)


def hone(folder: Path, threads: int) -> Side:
    """What `hone predict` runs."""
    model = onnx_model.load(folder, threads=threads)

    def side(texts: Sequence[str]) -> Found:
        answers = onnx_model.many_text_answers(model, texts)
        return {
            (number, one["start"], one["end"], one["type"])
            for number, answer in enumerate(answers)
            for one in answer["entities"]
        }

    return side


def pipeline(folder: Path, threads: int, batch_size: int) -> Side:
    """transformers' own, with the words put together again by their first sub-word."""
    import torch
    import transformers

    torch.set_num_threads(threads)
    made: Any = transformers.pipeline(
        "token-classification", model=str(folder), aggregation_strategy="first", device="cpu"
    )

    def side(texts: Sequence[str]) -> Found:
        answers = made(list(texts), batch_size=batch_size)
        return {
            (number, one["start"], one["end"], one["entity_group"])
            for number, answer in enumerate(answers)
            for one in answer
        }

    return side


def gold_spans(examples: Sequence[Example]) -> Found:
    """Gold as characters of the texts."""
    found: Found = set()
    for number, example in enumerate(examples):
        starts = [0]
        for word in example.inputs["words"]:
            starts.append(starts[-1] + len(word) + 1)
        for first, end, kind in tags.spans(example.target):
            found.add((number, starts[first], starts[end] - 1, kind))
    return found


def f1(gold: Found, found: Found) -> float:
    """Strict F1."""
    return 2 * len(gold & found) / max(len(gold) + len(found), 1)


if __name__ == "__main__":
    raise SystemExit(main())
