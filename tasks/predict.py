"""Answer texts with a fine-tuned model: one text a line on stdin, one JSON object a line on stdout."""

import json
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from tasks import adapters, compute, params
from tasks.errors import UserError
from tasks.predictor import CHUNK, Predictor
from tasks.stage import argument_parser, say


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder of the model")
    paths = parser.parse_args()
    try:
        for answer in predict(params.load(Path("params.yaml")), paths.model, map(str.rstrip, sys.stdin)):
            sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
    except UserError as error:
        say(f"error: {error}")
        sys.exit(1)


def predict(settings: params.Params, model_folder: Path, texts: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield ``{"text": ..., "found": [...]}`` for each text in order; at most 2,048 texts are in memory at once.

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
            yield {"text": text, "found": adapter.answer(text, example, prediction)}


if __name__ == "__main__":
    main()
