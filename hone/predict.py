"""`hone predict`: what the trained model finds in texts and files, in colour on a terminal."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from hone.settings import predict_command
from hone.terminal import paint
from tasks.errors import UserError

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
    looks = path.suffix.lower() in ENDINGS and not any(map(str.isspace, texts[0]))
    return path.resolve() if looks or path.is_file() else None
