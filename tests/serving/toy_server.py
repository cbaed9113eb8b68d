"""Serves a toy: `python toy_server.py MODEL_FOLDER [options of hone serve]`. Capitalised words are entities."""

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from hone import cli
from tasks.errors import UserError


@dataclass
class Toy:
    """A text ``WAIT <path>`` waits until somebody writes to that named pipe; BREAK and REFUSE fail in their ways."""

    task: str
    kind: str

    def answers(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        return [self.answer(text) for text in texts]

    def answer(self, text: str) -> dict[str, Any]:
        if text.startswith("WAIT "):
            Path(text[5:]).read_text()
        if "BREAK" in text:
            raise ValueError(f"broken by {text!r}")
        if "REFUSE" in text:
            raise UserError("this task needs two texts")
        if self.kind == "labels":
            share = min(0.9, 0.5 + len(text) / 100)
            return {"text": text, "label": "praise", "confidence": share}
        found = [
            {"start": m.start(), "end": m.end(), "text": m[0], "type": m[0][0], "confidence": 0.75}
            for m in re.finditer(r"\b[A-Z]\w*", text)
        ]
        return {"text": text, "entities": found}


def load(folder: Path) -> Toy:
    card = json.loads((folder / "export.json").read_text())
    if card["kind"] == "spoilt":
        raise UserError(f"{folder}: spoilt")
    return Toy("text_classification" if card["kind"] == "labels" else "token_classification", card["kind"])


if __name__ == "__main__":
    sys.argv = ["hone", "serve", "--port", "0", "--model", *sys.argv[1:]]
    with patch("hone.serve.load", lambda threads: load):
        cli.main()
