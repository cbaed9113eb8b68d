"""`hone predict`: what the trained model finds in texts and files, in colour on a terminal."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

from hone.settings import predict_command
from hone.terminal import paint
from tasks.errors import UserError
from tasks.stage import say
from tasks.text_files import amount

MODEL = "data/model"
EXPORTED = "data/export"
CALIBRATION = "data/calibration.json"
ENDINGS = (".txt", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")
LONGEST = 4096  # characters of a path
COLOURS = ("cyan", "yellow", "green", "magenta", "blue", "red")


def predict(texts: list[str], file: Path | None, as_json: bool, output: Path | None, options: list[str]) -> int:
    """Show what the model in data/model finds in ``texts``, or in the records of ``file``, or of stdin.

    The model runs in a process of its own, so that this one never loads torch.

    Args:
        output: file that gets the records with what was found; then nothing is shown.
        options: for the process, as it takes them.

    Returns:
        Exit code: 0, or 1 after the process said what is wrong.
    """
    if output is not None and not output.parent.is_dir():
        raise UserError(f"--output {output}: there is no folder {output.parent}; make it, or name another")
    command = [sys.executable, "-m", "tasks.predict", "--model", MODEL, "--exported", EXPORTED]
    command += ["--calibration", CALIBRATION, *options]
    if file is not None:
        command += ["--input", str(file)]
    if output is not None:
        command += ["--output", str(output)]
    lines = "".join(text.replace("\n", " ").strip() + "\n" for text in texts)
    if not lines.strip() and (texts or (file is None and sys.stdin.isatty())):
        raise UserError(f"nothing to read; give a text: {predict_command()}")
    stdin = subprocess.PIPE if texts else None
    with subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE if not output else None) as process:
        if process.stdin:
            process.stdin.write(lines.encode())
            process.stdin.close()
        colours: dict[str, str] = {}
        for raw in process.stdout or ():
            line = raw.decode()
            sys.stdout.write(line if as_json else _shown(json.loads(line), colours) + "\n")
            sys.stdout.flush()
    return 1 if process.returncode else 0


def predict_each(
    files: list[Path],
    folder: Path,
    options: list[str],
    on: Literal["local", "dask", "ray"],
    address: str | None,
) -> int:
    """Write what the model in data/model finds in each of ``files`` to a file of its name in ``folder``.

    Returns:
        Exit code: 0, or 1 after the processes said what is wrong.

    Raises:
        UserError: a file is missing, named twice, or two would be written to one name.
    """
    from flows.predicting import predict_files

    names: dict[str, Path] = {}
    for file in files:
        if not file.is_file():
            raise UserError(f"{file}: no such file")
        other = names.setdefault(file.name, file)
        if other is not file:
            raise UserError(f"{file}: {other} has the same name, which both would have in {folder}; rename one")
    command = ["--model", MODEL, "--exported", EXPORTED, "--calibration", CALIBRATION, *options]
    command += ["--output-dir", str(folder), "--bytes", str(amount(files))]  # of all, so that all get the same engine
    return 0 if predict_files(files, command, on=on, address=address, say=say) else 1


def mark(text: str, found: list[dict[str, Any]], colours: dict[str, str]) -> str:
    """The text with what was found in brackets; each type gets a colour of its own, which ``colours`` keeps."""
    parts, last = [], 0
    for entity in found:
        colour = colours.setdefault(entity["type"], COLOURS[len(colours) % len(COLOURS)])
        marked = f"[{text[entity['start'] : entity['end']]} {entity['type']} {entity['confidence']:.2f}]"
        parts += [text[last : entity["start"]], paint(marked, colour, sys.stdout)]
        last = entity["end"]
    return "".join(parts) + text[last:]


def _shown(line: dict[str, Any], colours: dict[str, str]) -> str:
    """One answer for a person."""
    answer = line.get("predicted", line)
    value = line.get("text", line.get("tokens", line.get("words", "")))
    text = value if isinstance(value, str) else " ".join(value)
    if "entities" in answer:
        return mark(text, answer["entities"], colours)
    labels = [answer] if "label" in answer else answer.get("labels", [])
    if texts := answer.get("answers", answer.get("candidates")):
        labels = [{"label": one["text"], "confidence": one["confidence"]} for one in texts]
    names = [paint(f"[{one['label']} {one['confidence']:.2f}]", "cyan", sys.stdout) for one in labels]
    return " ".join([text, *names]) if names else f"{text} [-]"


def named_file(texts: list[str]) -> Path | None:
    """The file that a single argument names, if it does: one that is there, or has the ending of one."""
    if len(texts) != 1 or len(texts[0]) > LONGEST:
        return None
    path = Path(texts[0])
    ending = Path(path.stem).suffix if path.suffix.lower() == ".gz" else path.suffix
    looks = ending.lower() in ENDINGS and not any(map(str.isspace, texts[0]))
    return path.resolve() if looks or path.is_file() else None
