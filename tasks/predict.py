"""Answer texts with the trained model: records of a file or of stdin in, the same with what was found out."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks import adapters, compute, params_file
from tasks.answering import answers
from tasks.errors import UserError
from tasks.models import content_hash
from tasks.prediction_files import PredictionFile, json_line, output_name
from tasks.progress import progress
from tasks.records import read_json
from tasks.stage import argument_parser, say, watch_starters
from tasks.text_files import FORMATS, Record, Source, amount, format_of, opened, read, size

if TYPE_CHECKING:
    from tasks.predictor import Predictor

TORCH = "this task is answered by torch"
MUCH = 200_000  # bytes of input from which on the later start of torch pays
RECORDS, CHARACTERS = 1024, 200_000  # that are in memory together, whichever comes first

Answer = Callable[[list[Any]], list[dict[str, Any]]]


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder of the model")
    parser.add_argument("--exported", type=Path, required=True, help="folder of the exported model")
    parser.add_argument("--calibration", type=Path, required=True, help="JSON with the temperature, of evaluate")
    parser.add_argument("--input", type=Path, nargs="*", default=[], help="the file, or several; none is stdin")
    parser.add_argument("--output", type=Path, help="file that is written; none is stdout, as JSON lines")
    parser.add_argument("--output-dir", type=Path, help="folder that gets a file for each input")
    parser.add_argument("--bytes", type=int, help="of all there is to read; none means of the inputs")
    parser.add_argument("--format", choices=sorted(set(FORMATS.values())), default="", help="none means by the ending")
    parser.add_argument("--column", default="", help="field with the text, or with a list of words")
    parser.add_argument("--limit", type=int, default=1_000_000, help="bytes that a record may have")
    parser.add_argument("--engine", choices=("auto", "onnx", "torch"), default="auto")
    given = parser.parse_args()
    watch_starters()
    try:
        inputs: list[Path | None] = list(given.input) or [None]
        sources = [Source(file, format_of(file, given.format), given.column, given.limit) for file in inputs]
        much = amount(given.input) if given.bytes is None else given.bytes
        answer, identity = find_engine(given.engine, given.model, given.exported, given.calibration, much)
        if given.output_dir is not None:
            sys.exit(not predict_each(sources, given.output_dir, answer, identity))
        predict(sources[0], given.output, answer, identity)
    except UserError as error:
        say(f"error: {error}")
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()  # who reads has seen enough
        sys.exit(0)


def predict_each(sources: Sequence[Source], folder: Path, answer: Answer, identity: dict[str, Any]) -> bool:
    """Answer each file into one of its name in ``folder``; False where one of them failed, which is said.

    An output that is there already is left as it is, so that the same command goes on after an interruption.
    """
    folder.mkdir(parents=True, exist_ok=True)
    well = True
    for source in sources:
        output = folder / output_name(source)
        if output.exists():
            say(f"{output}: is there already, left as it is")
            continue
        try:
            predict(source, output, answer, identity)
        except UserError as error:
            say(f"error: {error}")
            well = False
    return well


def predict(source: Source, output: Path | None, answer: Answer, identity: dict[str, Any]) -> None:
    """Answer all records of ``source``; a bounded number is in memory at once.

    Args:
        output: file that grows; an interrupted run goes on where it stopped. None writes JSON lines to stdout.
        identity: what else than the input decides the answers.
    """
    if source.file is not None and not source.file.is_file():
        raise UserError(f"{source.file}: no such file")
    with (
        PredictionFile(output, source, identity) if output else nullcontext() as under_way,
        opened(source) as (stream, reached),
    ):
        if under_way and under_way.resumed:
            say(f"{output}: goes on after {under_way.count:,} records of an earlier run")
        start = (under_way.position, under_way.line) if under_way else (0, 0)
        chunks = _chunks(read(source, stream, *start))
        for records in progress(chunks, size(source), "predict", lambda chunk: reached(chunk[-1])):
            found = answer([record.text for record in records])
            if under_way:
                under_way.write(records, [_without_text(one) for one in found])
            else:
                for record, one in zip(records, found, strict=True):
                    line = json.dumps(one, ensure_ascii=False) + "\n"
                    sys.stdout.write(line if source.format == "text" else json_line(record, _without_text(one)))
                sys.stdout.flush()
        if under_way:
            under_way.finish()
            say(f"{output}: {under_way.count:,} records")


def find_engine(
    wanted: str, model: Path, exported: Path, calibration: Path, size: int = 0
) -> tuple[Answer, dict[str, Any]]:
    """What answers texts; says which on stderr.

    By itself that is onnxruntime where the exported model is that of ``model``, as it starts sooner, and torch where
    there is enough to read for its faster products in bfloat16 to pay.

    Args:
        size: bytes of the input; 0 where that is not known.

    Returns:
        ``(texts) -> answers`` (tasks.answering.answers), and what tells these answers from those of another model.

    Raises:
        UserError: neither is there, or the one that was asked for is not.
    """
    present = (model / "hone.json").is_file()
    why = "" if wanted == "torch" else _stale(model if present else None, exported)
    if wanted == "onnx" and why:
        raise UserError(why if why.endswith(TORCH) else f"{why}; 'hone export' makes it")
    if wanted == "auto" and not why and present and size >= MUCH and compute.may_have_bf16():
        predictor = load_predictor(model)
        if predictor.machine.bf16 and not predictor.plain:
            return _by_torch(
                predictor, model, calibration, f" ({size:,} bytes, for which it is faster than {exported})"
            )
    if wanted != "torch" and not why:
        from tasks.onnx_model import load, many_text_answers

        settings = params_file.load(Path("params.yaml"))
        onnx = load(exported, threads=settings.compute.threads, batch_size=settings.evaluate.batch_size)
        say(f"onnxruntime, {onnx.precision} ({exported})")
        return partial(many_text_answers, onnx), {"engine": onnx.precision, "model": onnx.card["model"]}
    if not present:
        raise UserError(f"{model}: no model there yet; 'hone run' trains one")
    predictor = load_predictor(model)
    if predictor.writer:  # there is nothing to export
        return _by_torch(predictor, model, calibration, "")
    hint = "" if why.endswith(TORCH) else "; 'hone export' makes it, which starts sooner"
    return _by_torch(predictor, model, calibration, f" ({why}{hint})" if why else "")


def load_predictor(model: Path) -> "Predictor":
    """The model of params.yaml's task on the device that params.yaml names."""
    from tasks.predictor import Predictor

    settings = params_file.load(Path("params.yaml"))
    machine = compute.set_up(settings.compute, settings.seed)
    return Predictor(model, adapters.find(settings.task), machine, settings.evaluate.batch_size)


def _by_torch(predictor: "Predictor", model: Path, calibration: Path, why: str) -> tuple[Answer, dict[str, Any]]:
    temperature = read_temperature(calibration, model)
    described = predictor.machine.description
    path = f"plain path (the fast one does not fit: {predictor.plain})" if predictor.plain else "fast path"
    say(f"torch, {described}, {path}{why}")

    def answer(texts: list[Any]) -> list[dict[str, Any]]:
        return answers(texts, predictor.adapter, predictor.predict, temperature)

    return answer, {"engine": f"{described}, {path}", "model": content_hash(model), "temperature": temperature}


def read_temperature(file: Path, model_folder: Path) -> float:
    """The temperature that evaluate fitted for the model; where there is none for it 1, and a word about that."""
    if not file.is_file():
        say(f"{file}: no such file, so confidences are the model's own; 'hone run evaluate' calibrates them")
        return 1.0
    card = read_json(file)
    if card["model"] != content_hash(model_folder):
        say(f"{file}: of another model, so confidences are the model's own; 'hone run evaluate' calibrates them")
        return 1.0
    return float(card["temperature"])


def _stale(model: Path | None, exported: Path) -> str:
    """Why the exported model cannot stand for ``model`` (None: there is no other); empty where it can."""
    if not (exported / "export.json").is_file():
        return f"{exported}: no exported model"
    card = read_json(exported / "export.json")
    if card.get("offered") == "torch":
        return f"{exported}: {TORCH}"
    if model is not None and card.get("model") != content_hash(model):
        return f"{exported}: of another model than {model}"
    return ""


def _chunks(records: Iterator[Record]) -> Iterator[list[Record]]:
    chunk: list[Record] = []
    characters = 0
    for record in records:
        chunk.append(record)
        characters += sum(map(len, record.text))
        if len(chunk) >= RECORDS or characters >= CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def _without_text(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key != "text"}


if __name__ == "__main__":
    main()
