"""Every engine of `hone predict` against transformers.pipeline with batch 1 and 32, in one paired run.

Each side gets the same raw texts in the same order, in turns (A B C A B C ...), within one process and with the same
threads; loading is not in the figures, and each side has read all texts once before. hone gets them in chunks as
`hone predict` reads them. Texts are the sentences of validation and test with a space between words. Quality is strict
F1 over characters on them, as the pipeline cuts texts in its own way; what a side loses against the pipeline stands
with its paired 95 % interval, and whether that is little enough the rule of `export:` in params.yaml says.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import describe
from tasks import adapters, compute, onnx_model, params_file, tags
from tasks.answering import answers
from tasks.params import Params
from tasks.predict import RECORDS
from tasks.records import Example, read_examples
from tasks.scoring.measures import f1
from tasks.scoring.paired import compare

ROOT = Path(__file__).resolve().parent.parent
TARGETS = {1: 6.0, 32: 3.0}  # times as fast as the pipeline at least, by its batch size

Found = set[tuple[int, int, int, str]]  # number of the text, first character, the one behind the last, type
Answer = Callable[[Sequence[str]], list[dict[str, Any]]]
Side = Callable[[Sequence[str]], Found]


def main() -> int:
    """Measure and say it; 1 if no engine reaches all targets at equal quality."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=ROOT / "data/model")
    parser.add_argument("--export", type=Path, default=ROOT / "data/export")
    parser.add_argument("--prepared", type=Path, default=ROOT / "data/prepared")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--texts", type=int, default=0, help="how many; 0 means all")
    given = parser.parse_args()
    settings = params_file.load(ROOT / "params.yaml")
    examples = [one for name in ("validation", "test") for one in read_examples(given.prepared / f"{name}.jsonl")]
    examples = examples[: given.texts or None]
    texts = [" ".join(example.inputs["words"]) for example in examples]
    gold = gold_spans(examples)
    here = describe("cpu", settings.compute.threads)
    sides = engines(given.model, given.export, settings)
    sides |= {f"pipeline, batch {size}": pipeline(given.model, size) for size in TARGETS}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    found = {name: side(texts) for name, side in sides.items()}
    for _ in range(given.rounds):
        for name, side in sides.items():
            started = time.perf_counter()
            side(texts)
            seconds[name].append(time.perf_counter() - started)
    allowed = settings.export.loss if len(gold) >= settings.export.many else settings.export.loss_few
    lines = [
        f"{here.line()}; {len(texts)} texts with {len(gold)} gold entities, {given.rounds} rounds, medians",
        "",
        f"| side | texts/s | {' | '.join(f'x pipeline, batch {size}' for size in TARGETS)} | strict F1 "
        f"| against the pipeline | loss within {100 * allowed:g} points |",
        "|---|---|---|---|---|---|---|",
    ]
    reached = False
    for name, taken in seconds.items():
        speed, own = len(texts) / statistics.median(taken), counts(gold, found[name], len(texts))
        cells = [name, f"{speed:.0f}", *[""] * len(TARGETS), f"{float(f1(own.sum(axis=0))):.4f}", "", ""]
        if not name.startswith("pipeline"):
            times = {size: ratio(seconds[f"pipeline, batch {size}"], taken) for size in TARGETS}
            cells[2:4] = [f"{times[size]:.1f}" for size in TARGETS]
            theirs = counts(gold, found["pipeline, batch 1"], len(texts))
            cells[5], cells[6] = judged(theirs, own, allowed)
            little = cells[6] == "yes"
            reached = reached or (little and all(times[size] >= floor for size, floor in TARGETS.items()))
        lines.append(f"| {' | '.join(cells)} |")
    exact = "onnxruntime, fp32"
    if exact in found:  # the same words, so that only the arithmetic differs
        theirs = counts(gold, found[exact], len(texts))
        for name in sides:
            if name != exact and not name.startswith("pipeline"):
                difference, little_enough = judged(theirs, counts(gold, found[name], len(texts)), allowed)
                lines += ["", f"{name} against {exact}: {difference}; within {100 * allowed:g} points: {little_enough}"]
    floors = " and ".join(f"{floor:g} times that with batch {size}" for size, floor in TARGETS.items())
    lines += ["", f"At least {floors} at equal quality: {'reached' if reached else 'missed'}."]
    sys.stdout.write("\n".join(lines) + "\n")
    return int(not reached)


def engines(model: Path, exported: Path, settings: Params) -> dict[str, Side]:
    """What `hone predict` runs, by its name: torch and each graph that is there."""
    from tasks.predictor import Predictor

    machine = compute.set_up(settings.compute, settings.seed)
    adapter = adapters.find("token_classification")
    batch = settings.evaluate.batch_size
    predictor = Predictor(model, adapter, machine, batch)
    named = {f"torch, {'bf16' if machine.bf16 else 'fp32'}": _side(_torch(predictor))}
    for precision, file in onnx_model.GRAPHS.items():
        if (exported / file).is_file():
            onnx = onnx_model.load(exported, precision=precision, threads=settings.compute.threads, batch_size=batch)
            named[f"onnxruntime, {precision}"] = _side(_onnx(onnx))
    return named


def _torch(predictor: Any) -> Answer:
    return lambda texts: answers(texts, predictor.adapter, predictor.predict, 1.0)


def _onnx(model: onnx_model.OnnxModel) -> Answer:
    return lambda texts: onnx_model.many_text_answers(model, texts)


def _side(answer: Answer) -> Side:
    def side(texts: Sequence[str]) -> Found:
        chunks = (texts[start : start + RECORDS] for start in range(0, len(texts), RECORDS))
        found = (one for chunk in chunks for one in answer(chunk))
        return {
            (number, one["start"], one["end"], one["type"])
            for number, answer in enumerate(found)
            for one in answer["entities"]
        }

    return side


def pipeline(folder: Path, batch_size: int) -> Side:
    """transformers' own, with the words put together again by their first sub-word."""
    import transformers

    made: Any = transformers.pipeline(
        "token-classification", model=str(folder), aggregation_strategy="first", device="cpu"
    )

    def side(texts: Sequence[str]) -> Found:
        found = made(list(texts), batch_size=batch_size)
        return {
            (number, one["start"], one["end"], one["entity_group"])
            for number, answer in enumerate(found)
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


def counts(gold: Found, found: Found, texts: int) -> NDArray[np.float64]:
    """Right, predicted and gold entities of each text, (texts, 3)."""
    table = np.zeros((texts, 3))
    for column, spans in enumerate((gold & found, found, gold)):
        np.add.at(table[:, column], [number for number, *_ in spans], 1)
    return table


def judged(before: NDArray[np.float64], after: NDArray[np.float64], allowed: float) -> tuple[str, str]:
    """The difference of F1 with its paired 95 % interval, and whether a loss is shown to be within ``allowed``."""
    found = compare([before], [after], np.arange(len(before)), f1, relevant=allowed)
    little = "yes" if -found.low <= allowed else "no" if found.high < -allowed else "too few data"
    return f"{found.difference:+.4f} ({found.low:+.4f} to {found.high:+.4f})", little


def ratio(other: Sequence[float], own: Sequence[float]) -> float:
    """How many times as long the other side took, the median over the rounds."""
    return statistics.median(theirs / mine for theirs, mine in zip(other, own, strict=True))


if __name__ == "__main__":
    raise SystemExit(main())
