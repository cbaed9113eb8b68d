"""What goes to the terminal: colour where a person looks at it, plain text in files and pipes."""

import os
from typing import IO

COLOURS = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "magenta": 35, "cyan": 36, "bold": 1, "dim": 2}


def paint(text: str, colour: str, stream: IO[str]) -> str:
    """``text`` in one of COLOURS if ``stream`` is a terminal and NO_COLOR (no-color.org) is not set."""
    if not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m"


def size(count: float) -> str:
    """Bytes for a person: ``512 B``, ``3.4 MB`` (1 MB is 1000 kB)."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
