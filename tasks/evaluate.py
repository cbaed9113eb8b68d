"""Stage evaluate: predictions and scores of validation and test, each in files of its own."""

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tasks import adapters, compute, params, params_file, records, untrained
from tasks.errors import UserError
from tasks.models import SCRATCH, content_hash
from tasks.predictor import Predictor
from tasks.progress import progress
from tasks.scoring import calibration, goal, intervals
from tasks.scoring.analysis import analyse
from tasks.scoring.beaten import beaten
from tasks.scoring.beside import beside
from tasks.scoring.confusion import write_confusion
from tasks.scoring.focus_table import table
from tasks.stage import argument_parser, run_stage, say


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--prepared", type=Path, required=True, help="folder of the examples")
    parser.add_argument("--model", type=Path, required=True, help="folder of the model")
    parser.add_argument("--out", type=Path, required=True, help="folder that gets predictions and metrics")
    parser.add_argument("--cost", type=Path, required=True, help="JSON of time and memory, written; not an out")
    paths = parser.parse_args()

    def work() -> dict[str, Any]:
        return evaluate(params_file.load(Path("params.yaml")), paths.prepared, paths.model, paths.out)

    run_stage("evaluate", work, paths.cost)


def evaluate(settings: params.Params, prepared: Path, model_folder: Path, out: Path) -> dict[str, Any]:
    """Predict and score validation and test with the model of ``model_folder``.

    Raises:
        UserError: the gold that was scored is not the gold that preprocess counted.
    """
    machine = compute.set_up(settings.compute, settings.seed)
    adapter = adapters.find(adapters.name_of(settings.task, settings.options))
    summary = records.read_json(prepared / "summary.json")
    predictor = Predictor(model_folder, adapter, machine, settings.evaluate.batch_size)
    scorer = importlib.import_module(f"tasks.scoring.{adapter.scorer}")
    neighbours = _neighbours(settings, adapter, prepared, machine, predictor.max_length)
    if predictor.plain and not adapter.wording.written:
        say(f"plain path of prediction (the fast one does not fit: {predictor.plain})")
    tables = {}
    temperature = 1.0
    for split in ("validation", "test"):
        examples = records.read_examples(prepared / f"{split}.jsonl")
        total = summary["splits"][split]["sentences"]
        predictions = list(progress(predictor.predict(examples), total, f"predict {split}"))
        gold = sum(sum(adapter.items(prediction.gold).values()) for prediction in predictions)
        counted = sum(summary["splits"][split]["entities"].values())
        if gold != counted or len(predictions) != total:
            raise UserError(
                f"{split}: {gold} gold items in {len(predictions)} examples were scored, but {counted} in {total} were "
                "prepared; this is a defect of hone, please report it with the data"
            )
        sure, right = scorer.confidences(predictions)
        if split == "validation":  # before test, which only gets what was fitted here
            card = calibration.describe(sure, right, gold)
            temperature = card["temperature"]
            records.write_json(out / "calibration.json", card | {"model": content_hash(model_folder)})
            calibration.write_curve(out / "reliability.csv", card["curve"])
        train, again = (records.read_examples(prepared / f"{name}.jsonl") for name in ("train", split))
        scores = {
            **scorer.score(predictions),
            "interval": intervals.describe(predictions, adapter.wording.examples),
            **({} if adapter.wording.written else calibration.figures(sure, right, temperature)),
            **beside(scorer.HEADLINE, predictions, scorer.baselines(train, again) | neighbours(split)),
        }
        records.write_predictions(out / f"predictions.{split}.jsonl", predictions)
        records.write_json(out / f"metrics.{split}.json", scores)
        tables[split] = scorer.token_table(predictions)
        if split == "validation":
            write_confusion(out / "confusion.csv", scorer.confusion(predictions))
            findings = analyse(
                scorer.ANALYSIS,
                scorer.HEADLINE,
                list(records.read_examples(prepared / "validation.jsonl")),
                predictions,
                records.read_examples(prepared / "train.jsonl"),
                predictor.predict,
                seed=settings.seed,
                variants=settings.evaluate.invariance_sentences,
                confidence=settings.evaluate.suspect_confidence,
            )
            records.write_json(out / "focus.json", findings.focus)
            records.write_lines(out / "mistakes.validation.jsonl", findings.mistakes)
            records.write_lines(out / "suspects.jsonl", findings.suspects)
            to_go = goal.words(settings.goal, scores, findings.focus, scorer.HEADLINE.name)
        figure, words = scores[adapter.headline], adapter.wording
        say(f"{split}: {words.headline} {figure:.4f} on {total} {words.examples} with {gold} {words.items}")
        say(f"  {beaten(scores)}")
    records.write_json(out / "token_table.json", tables)
    if not os.environ.get("HONE_STARTER"):  # hone run shows it at the very end
        for line in table(findings.focus):
            say(f"  {line}")
        for head, text in to_go:
            say(f"{head}: {text}")
    return {"machine": machine.description}


def _neighbours(
    settings: params.Params, adapter: adapters.Adapter, prepared: Path, machine: compute.Machine, max_length: int
) -> Callable[[str], dict[str, list[records.Prediction]]]:
    """Gives for a split the answers of its nearest neighbours; nothing where the task or params want none, or where the
    model begins anew, so that no encoder was there before."""
    options, likeness, wanted = settings.evaluate, adapter.likeness, settings.finetune
    if likeness is None or options.neighbours == 0 or wanted.model == SCRATCH:
        return lambda _split: {}
    embed = untrained.Embedder.load(
        wanted.model, wanted.revision, machine, max_length=max_length, batch_size=options.batch_size
    )
    train = untrained.drawn(records.read_examples(prepared / "train.jsonl"), options.neighbour_rows, settings.seed)

    nearest = untrained.Neighbours(likeness, train, embed, options.neighbours)
    return lambda split: {"neighbours": nearest.answers(list(records.read_examples(prepared / f"{split}.jsonl")))}


if __name__ == "__main__":
    main()
