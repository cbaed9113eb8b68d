"""YAML files of the project as mappings. What parsing gave is kept by the hash of the text: the parser takes longer
to load than all else takes that answers for a known trial or an unchanged pipeline. What is kept is safe to delete.
"""

import hashlib
from pathlib import Path
from typing import Any

from flows.memo import keep, recall

KEPT = Path(".dvc/tmp/hone/@yaml")  # a file per YAML file; '@' is in no stage's name
FORM = 1  # of what is kept


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML 1.2 file of the current folder, as `tasks.yaml_files.read_yaml` reads it.

    Raises:
        UserError: missing file, YAML error, or something else than a mapping.
    """
    try:
        content = path.read_bytes()
        text = content.decode("utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        from tasks.yaml_files import read_yaml as read  # whose messages say what to do

        return read(path)
    kept = KEPT / f"{str(path).replace('/', '%')}.json"
    mark = hashlib.sha256(content).hexdigest()
    try:
        found = recall(kept)
        if found["form"] == FORM and found["of"] == mark:
            return dict(found["values"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    from tasks.yaml_files import read_yaml_text

    values = read_yaml_text(text, str(path))
    _keep(kept, mark, values)
    return values


def _keep(kept: Path, mark: str, values: dict[str, Any]) -> None:
    """Keep what JSON gives back as it was: no dates, no keys that are numbers."""
    if not Path(".dvc").is_dir() or not _plain(values):
        return
    keep(kept, {"form": FORM, "of": mark, "values": values})


def _plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(type(name) is str and _plain(inner) for name, inner in value.items())
    if isinstance(value, list):
        return all(map(_plain, value))
    return value is None or type(value) in (bool, int, float, str)
