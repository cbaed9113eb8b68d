"""Answer texts with a fine-tuned model: one text a line on stdin, one JSON object a line on stdout."""

import json
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from tasks import adapters, compute, params
from tasks.errors import UserError
from tasks.models import content_hash
from tasks.predictor import CHUNK, Predictor
from tasks.records import read_json
from tasks.scoring.calibration import scaled
from tasks.stage import argument_parser, say


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder of the model")
    parser.add_argument("--calibration", type=Path, required=True, help="JSON with the temperature, of evaluate")
    paths = parser.parse_args()
    try:
        settings = params.load(Path("params.yaml"))
        temperature = read_temperature(paths.calibration, paths.model)
        for answer in predict(settings, paths.model, map(str.rstrip, sys.stdin), temperature):
            sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
    except UserError as error:
        say(f"error: {error}")
        sys.exit(1)


def read_temperature(file: Path, model_folder: Path) -> float:
    """The temperature that evaluate fitted for the model; where there is none for it 1, and a word about that."""
    if not (model_folder / "hone.json").is_file():
        return 1.0  # predict says it
    if not file.is_file():
        say(f"{file}: no such file, so confidences are the model's own; 'hone run evaluate' calibrates them")
        return 1.0
    card = read_json(file)
    if card["model"] != content_hash(model_folder):
        say(f"{file}: of another model, so confidences are the model's own; 'hone run evaluate' calibrates them")
        return 1.0
    return float(card["temperature"])


def predict(
    settings: params.Params, model_folder: Path, texts: Iterable[str], temperature: float = 1.0
) -> Iterator[dict[str, Any]]:
    """Yield ``{"text": ..., "found": [...]}`` for each text in order; at most 2,048 texts are in memory at once.

    Confidences are calibrated with ``temperature`` (tasks.scoring.calibration.scaled).

    Raises:
        UserError: there is no model yet.
    """
    if not (model_folder / "hone.json").is_file():
        raise UserError(f"{model_folder}: no model there yet; 'hone run' trains one")
    adapter = adapters.find(settings.task)
    machine = compute.set_up(settings.compute, settings.seed)
    predictor = Predictor(model_folder, adapter, machine, settings.evaluate.batch_size)
    remaining = iter(texts)
    while chunk := list(islice(remaining, CHUNK)):
        examples = [adapter.read(text, str(number)) for number, text in enumerate(chunk)]
        for text, example, prediction in zip(chunk, examples, predictor.predict(iter(examples)), strict=True):
            found = adapter.answer(text, example, prediction)
            sure = scaled(np.array([item["confidence"] for item in found], np.float64), temperature)
            for item, value in zip(found, sure.tolist(), strict=True):
                item["confidence"] = round(value, 6)
            yield {"text": text, "found": found}


if __name__ == "__main__":
    main()
