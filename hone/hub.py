"""A dataset of the Hugging Face Hub as plain files: one JSON-lines file a split, class names instead of numbers."""

import json
import os
import re
from collections.abc import Callable
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from hone.reach import hub_address, reached
from tasks.errors import UserError
from tasks.records import write_json
from tasks.stage import say

FORM = re.compile(r"hub:(?P<id>[\w.-]+(?:/[\w.-]+)?)@(?P<revision>[^\s:@]+)(?::(?P<config>.+))?")


def download(source: str, folder: Path) -> dict[str, str]:
    """Write each split of ``hub:ID@REVISION[:CONFIG]`` to ``folder``/<split>.jsonl, and SOURCE.json beside them.

    The same revision gives the same bytes. Returns the params of the task that name its columns, where they are clear.

    Raises:
        UserError: no revision, no network, unknown dataset, config or revision, or values that JSON cannot hold.
    """
    match = FORM.fullmatch(source)
    if not match:
        raise UserError(
            f"{source}: needs the form hub:ID@REVISION[:CONFIG]; the revision is a commit or tag of the dataset's "
            "page (Files, History), so that everybody gets the same data"
        )
    name, revision, config = match["id"], match["revision"], match["config"]
    splits = _load(name, revision, config)
    rows = {}
    for split in sorted(splits):
        if not re.fullmatch(r"[\w.-]+", split):
            raise UserError(f"{source}: the split {split!r} gives no file name; take the files by hand")
        rows[split] = _write(folder / f"{split}.jsonl", splits[split], f"{source}, {split}")
    if not any(rows.values()):
        raise UserError(f"{source}: holds no rows; check the config")
    write_json(folder / "SOURCE.json", {"id": name, "revision": revision, "config": config, "rows": rows})
    return _columns(next(iter(splits.values())).features)


def _load(name: str, revision: str, config: str | None) -> Any:
    what = f"dataset {name}, revision {revision}" + (f", config {config}" if config else "")
    remedy = "copy its files to this machine and import the folder: hone import FOLDER --as NAME"
    offline = "HF_HUB_OFFLINE is set" if os.environ.get("HF_HUB_OFFLINE") else ""
    if not offline and not reached(hub_address()):
        offline = f"{hub_address()} does not answer"
        os.environ["HF_HUB_OFFLINE"] = (
            "1"  # before the first import: what was loaded before, or no half minute of tries
        )
    say(f"loading {what}")
    import httpx
    from datasets import DatasetDict, load_dataset
    from datasets.exceptions import DatasetsError
    from huggingface_hub.errors import HfHubHTTPError

    try:
        splits = load_dataset(name, name=config, revision=revision)
    except (ConnectionError, httpx.HTTPError) as error:
        raise UserError(f"{what}: the Hub was not reached ({offline or _line(error)}); {remedy}") from None
    except (DatasetsError, HfHubHTTPError, OSError, ValueError, RuntimeError) as error:
        raise UserError(f"{what}: {_line(error)}; check id, revision and config, or {remedy}") from None
    if not isinstance(splits, DatasetDict):
        raise UserError(f"{what}: has no splits; {remedy}")
    return splits


def _write(path: Path, rows: Any, place: str) -> int:
    """Write rows with class names as JSON lines, columns in the dataset's order; return how many."""
    for column, feature in rows.features.items():
        if type(feature).__name__ in ("Image", "Audio", "Video", "Pdf"):
            raise UserError(f"{place}: the column {column!r} is no text ({feature}); take its files by hand")
    named = {column: _namer(feature) for column, feature in rows.features.items()}
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for count, row in enumerate(rows, start=1):
            try:
                line = json.dumps(
                    {column: name(row[column]) for column, name in named.items()},
                    ensure_ascii=False,
                    separators=(",", ":"),
                    allow_nan=False,
                    default=_plain,
                )
            except (TypeError, ValueError) as error:
                raise UserError(f"{place}, row {count}: {_line(error)}; take its files by hand") from None
            file.write(line + "\n")
    return count


def _namer(feature: Any) -> Callable[[Any], Any]:
    """What turns a value of this feature into plain JSON: class numbers into names, -1 (no label) into null."""
    from datasets import ClassLabel

    if isinstance(feature, ClassLabel):
        names = feature.names
        return lambda value: None if value is None or value < 0 else names[value]
    if isinstance(feature, dict):
        inner = {key: _namer(part) for key, part in feature.items()}
        return lambda value: value and {key: name(value[key]) for key, name in inner.items()}
    part = feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)
    if part is not None:
        each = _namer(part)
        return lambda value: value and [each(item) for item in value]
    return lambda value: value


def _plain(value: Any) -> str:
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    raise TypeError(f"a value of type {type(value).__name__} does not fit into JSON")


def _columns(features: Any) -> dict[str, str]:
    """token_field and tag_field, if exactly one column is a list of strings and one a list of classes."""
    from datasets import ClassLabel

    parts = {column: getattr(feature, "feature", None) for column, feature in features.items()}
    tags = [column for column, part in parts.items() if isinstance(part, ClassLabel)]
    tokens = [column for column, part in parts.items() if getattr(part, "dtype", "") == "string" and column not in tags]
    if len(tokens) != 1 or not tags:
        return {}
    tag = next((column for column in tags if "ner" in column.lower()), tags[0])
    return {"format": "jsonl", "token_field": tokens[0], "tag_field": tag}


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
