"""Stage export: the model as ONNX for fast answers without torch, in int8 too where that is shown to cost little."""

import importlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tasks import adapters, compute, params, params_file, records
from tasks.adapters import Encoded
from tasks.errors import UserError
from tasks.models import content_hash
from tasks.onnx_model import CARD, GRAPHS, TOKENIZER, OnnxModel, batch_inputs, load
from tasks.predictor import Predictor
from tasks.records import Prediction
from tasks.scoring.intervals import group_ids
from tasks.scoring.paired import Comparison, compare
from tasks.stage import argument_parser, run_stage, say

CHECKED = 64  # windows on which graph and model are compared number by number
CLOSE = 1e-3  # largest difference of an answer that rounding explains


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--prepared", type=Path, required=True, help="folder of the examples")
    parser.add_argument("--model", type=Path, required=True, help="folder of the model")
    parser.add_argument("--predictions", type=Path, required=True, help="what evaluate predicted on validation")
    parser.add_argument("--calibration", type=Path, required=True, help="JSON with the temperature, of evaluate")
    parser.add_argument("--out", type=Path, required=True, help="folder that gets the exported model")
    parser.add_argument("--cost", type=Path, required=True, help="JSON of speed and size, written; not an out")
    paths = parser.parse_args()

    def work() -> dict[str, Any]:
        settings = params_file.load(Path("params.yaml"))
        return export(settings, paths.prepared, paths.model, paths.predictions, paths.calibration, paths.out)

    run_stage("export", work, paths.cost)


def export(
    settings: params.Params, prepared: Path, model_folder: Path, predictions: Path, calibration: Path, out: Path
) -> dict[str, Any]:
    """Write the graphs, the tokenizer and export.json, and compare all predictions on validation with the model's.

    Returns:
        What is not the same on each run: sentences per second and bytes, by precision.

    Raises:
        UserError: graph and model do not agree, or evaluate did not answer these examples.
    """
    out.mkdir(parents=True, exist_ok=True)
    machine = compute.set_up(settings.compute, settings.seed)
    adapter = adapters.find(settings.task)
    card = records.read_json(model_folder / "hone.json")
    options = params_file.check(adapter.options, card["options"], model_folder / "hone.json", prefix="options.")
    if adapter.objective(options) == "sequences":
        records.write_json(out / CARD, {"offered": "torch", "task": settings.task})
        say(f"{settings.task} writes text step by step, which stays with torch; nothing to export")
        return {}
    if adapter.objective(options).startswith("ranking"):
        records.write_json(out / CARD, {"offered": "torch", "task": settings.task})
        say(f"{settings.task} compares vectors of several texts, which stays with torch; nothing to export")
        return {}
    from tasks.onnx_graph import graph, quantized, write_graph

    predictor = Predictor(model_folder, adapter, machine, settings.evaluate.batch_size)
    examples = list(records.read_examples(prepared / "validation.jsonl"))
    reference = list(records.read_predictions(predictions))
    if [one.id for one in reference] != [one.id for one in examples]:
        raise UserError(f"{predictions}: not of these examples; 'hone run evaluate' predicts them anew")
    made = graph(predictor)
    write_graph(made, out / GRAPHS["fp32"])
    predictor.tokenizer.backend_tokenizer.save(str(out / TOKENIZER))
    precisions = ["fp32", "int8"] if settings.export.int8 else ["fp32"]
    export_card: dict[str, Any] = _card(settings.task, predictor, card, calibration, model_folder)
    records.write_json(out / CARD, export_card)
    if settings.export.int8:
        quantized(out / GRAPHS["fp32"], out / GRAPHS["int8"])
    del predictor
    cost: dict[str, Any] = {"machine": machine.description}
    quality: dict[str, Any] = {}
    for precision in precisions:
        exported = load(
            out, precision=precision, threads=settings.compute.threads, batch_size=settings.evaluate.batch_size
        )
        if precision == "fp32":
            quality["largest_difference"] = _agreement(made, exported, examples)
        started = time.perf_counter()
        answers = list(exported.predict(examples))
        seconds = time.perf_counter() - started
        size = (out / GRAPHS[precision]).stat().st_size
        cost[precision] = {"bytes": size, "examples_per_second": round(len(examples) / seconds, 1)}
        quality[precision] = _quality(adapter, settings, reference, answers)
    quality["fp32"] |= {"offered": True, "words": "offered, the model in float32"}
    export_card["quality"] = quality
    if settings.export.int8 and quality["int8"]["offered"]:
        export_card["offered"] = "int8"
    elif settings.export.int8:
        (out / GRAPHS["int8"]).unlink()
    records.write_json(out / CARD, export_card)
    for precision in precisions:
        say(f"{precision}: {quality[precision]['words']}, {cost[precision]['examples_per_second']:.0f} examples/s")
    return cost


def _card(
    task: str, predictor: Predictor, card: dict[str, Any], calibration: Path, model_folder: Path
) -> dict[str, Any]:
    """What a reader of the folder needs besides graph and tokenizer."""
    from tasks.heads import chain_of

    chain = chain_of(predictor.model)
    found = records.read_json(calibration)
    model = content_hash(model_folder)
    if found["model"] != model:
        raise UserError(f"{calibration}: of another model; 'hone run evaluate' calibrates this one")
    names = ("start", "transition", "end")
    return {
        "chain": dict(zip(names, (one.tolist() for one in chain.scores()), strict=True)) if chain else None,
        "classes": predictor.classes,
        "max_length": predictor.max_length,
        "model": model,
        "offered": "fp32",
        "options": card["options"],
        "pad_id": predictor.tokenizer.pad_token_id,
        "rows_per_output": predictor.objective.rows_per_output,
        "task": task,
        "temperature": found["temperature"],
        "unknown_id": predictor.tokenizer.unk_token_id,
        "window_overlap": predictor.overlap,
    }


def _agreement(made: Any, exported: OnnxModel, examples: Sequence[records.Example]) -> float:
    """The largest difference between answers of model and graph, both in float32, on some windows of each length.

    Raises:
        UserError: it is more than rounding explains.
    """
    import torch

    card = exported.card
    length = card["max_length"]
    ready = list(exported.adapter.surround(examples[: 4 * CHECKED], exported.options, length))
    windows = exported.adapter.encode(ready, exported.tokenizer, exported.classes, length, card["window_overlap"])
    ordered = sorted(windows, key=lambda window: len(window.input_ids))
    some: list[Encoded] = ordered[:: max(1, len(ordered) // CHECKED)]
    largest = 0.0
    for start in range(0, len(some), 8):
        inputs = batch_inputs(some[start : start + 8], exported.tokenizer.pad_token_id)
        with torch.inference_mode():
            wanted = made(**{name: torch.from_numpy(value) for name, value in inputs.items()}).numpy()
        given = exported.session.run(None, inputs)[0]
        largest = max(largest, float(np.abs(wanted - given).max(initial=0.0)))
    if not largest <= CLOSE:
        raise UserError(
            f"the exported graph answers otherwise than the model (by {largest:.2g}, allowed is {CLOSE:g}); "
            "this is a defect of hone or of the exporter, please report it with params.yaml"
        )
    return round(largest, 6)


def _quality(
    adapter: adapters.Adapter,
    settings: params.Params,
    reference: Sequence[Prediction],
    answers: Sequence[Prediction],
) -> dict[str, Any]:
    """How these answers differ from the model's, and whether the loss is small enough to offer them."""
    scorer = importlib.import_module(f"tasks.scoring.{adapter.scorer}")
    gold = sum(sum(adapter.items(one.gold).values()) for one in reference)
    rules = settings.export
    allowed = rules.loss if gold >= rules.many else rules.loss_few
    found = compare(
        [scorer.HEADLINE.counts(reference)],
        [scorer.HEADLINE.counts(answers)],
        group_ids(reference),
        scorer.HEADLINE.figure,
        relevant=allowed,
        seed=settings.seed,
    )
    differing = sum(one.predicted != other.predicted for one, other in zip(reference, answers, strict=True))
    offered, words = verdict(found, allowed, gold)
    return {
        "allowed_loss": allowed,
        "differing_examples": differing,
        "difference": round(found.difference, 6),
        "examples": len(reference),
        "gold_items": gold,
        "headline": {"exported": round(found.after, 6), "model": round(found.before, 6), "name": scorer.HEADLINE.name},
        "interval": [round(found.low, 6), round(found.high, 6)],
        "offered": offered,
        "words": words,
    }


def verdict(found: Comparison, allowed: float, gold: int) -> tuple[bool, str]:
    """Whether the loss is shown to be within ``allowed``, and that in words.

    The loss is minus the difference of the headline; what counts is its largest value in the 95 % interval.
    """
    interval = f"{found.difference:+.4f}, 95 % interval {found.low:+.4f} to {found.high:+.4f}, on {gold} gold items"
    if -found.low <= allowed:
        return True, f"offered, as good as the model: {interval}"
    if found.high < -allowed:
        return False, f"not offered, worse than the model by more than {allowed:g}: {interval}"
    return False, f"not offered, too few data to show a loss within {allowed:g}: {interval}"


if __name__ == "__main__":
    main()
