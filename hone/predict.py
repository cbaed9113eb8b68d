"""`hone predict`: what the trained model finds in a text, in colour on a terminal."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from hone.settings import predict_command
from hone.terminal import paint
from tasks.errors import UserError

MODEL = "data/model"
CALIBRATION = "data/calibration.json"
COLOURS = ("cyan", "yellow", "green", "magenta", "blue", "red")


def predict(texts: list[str], file: Path | None, as_json: bool) -> int:
    """Show what the model in data/model finds in ``texts``, or in each line of ``file``, or of stdin.

    The model runs in a process of its own, so that this one never loads torch.

    Returns:
        Exit code: 0, or 1 after the process said what is wrong.
    """
    if not texts:
        texts = _lines(file)
    if not any(text.strip() for text in texts):
        raise UserError(f"nothing to read; give a text: {predict_command()}")
    lines = "\n".join(text.replace("\n", " ").strip() for text in texts) + "\n"
    done = subprocess.run(
        [sys.executable, "-m", "tasks.predict", "--model", MODEL, "--calibration", CALIBRATION],
        input=lines,
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        return 1
    colours: dict[str, str] = {}
    for line in done.stdout.splitlines():
        answer = json.loads(line)
        sys.stdout.write((line if as_json else mark(answer["text"], answer["found"], colours)) + "\n")
    return 0


def mark(text: str, found: list[dict[str, Any]], colours: dict[str, str]) -> str:
    """The text with what was found in brackets; each label gets a colour of its own, which ``colours`` keeps."""
    parts, last = [], 0
    for entity in found:
        colour = colours.setdefault(entity["label"], COLOURS[len(colours) % len(COLOURS)])
        marked = f"[{text[entity['start'] : entity['end']]} {entity['label']} {entity['confidence']:.2f}]"
        parts += [text[last : entity["start"]], paint(marked, colour, sys.stdout)]
        last = entity["end"]
    return "".join(parts) + text[last:]


def _lines(file: Path | None) -> list[str]:
    if file is None:
        if sys.stdin.isatty():
            return []
        return sys.stdin.read().splitlines()
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise UserError(f"{file}: no such file") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: not UTF-8 (byte {error.start + 1}); save it as UTF-8") from None
