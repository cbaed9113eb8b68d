"""What was worked out once and is kept in a JSON file of its own; each of them is safe to delete."""

import json
import os
from pathlib import Path
from typing import Any


def recall(path: Path) -> Any:
    """What was kept; None where nothing is, or nothing that can be read."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def keep(path: Path, value: Any) -> None:
    """Write ``value`` whole or not at all; the folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(value), encoding="utf-8")
    draft.replace(path)
