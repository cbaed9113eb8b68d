"""Where a run's results lie, by what dvc.yaml says: the metrics of its stages and the report."""

import json
from pathlib import Path
from typing import Any

from flows.dag import Stage


def metrics_files(ordered: list[Stage]) -> dict[str, Path]:
    """The metrics files that exist, by short name: data/metrics.test.json is ``test``."""
    paths = [Path(path) for stage in ordered for path in stage.metrics]
    return {path.stem.removeprefix("metrics.") or path.stem: path for path in paths if path.is_file()}


def report_file(ordered: list[Stage], name: str) -> Path | None:
    """The file ``name`` in the out folder of some stage, as report.md or report.html."""
    found = [Path(out) / name for stage in ordered for out in stage.outs if (Path(out) / name).is_file()]
    return found[0] if found else None


def out_file(ordered: list[Stage], name: str) -> Path | None:
    """The out of that name of some stage, a file or a folder, where it exists."""
    found = [Path(out) for stage in ordered for out in stage.leaves if Path(out).name == name and Path(out).exists()]
    return found[0] if found else None


def metrics_table(ordered: list[Stage]) -> list[dict[str, Any]]:
    """One row per metric, one column per metrics file; nested names are joined with dots."""
    columns = {name: flat(json.loads(path.read_bytes())) for name, path in metrics_files(ordered).items()}
    names = sorted({metric for column in columns.values() for metric in column})
    return [{"metric": n, **{c: values.get(n, "") for c, values in columns.items()}} for n in names]


def flat(values: Any, prefix: str = "") -> dict[str, Any]:
    """The leaves of nested mappings and lists under dotted names."""
    if isinstance(values, dict):
        items = [(str(name), inner) for name, inner in values.items()]
    elif isinstance(values, list):
        items = [(str(index), inner) for index, inner in enumerate(values)]
    else:
        return {prefix: values}
    return {n: leaf for name, inner in items for n, leaf in flat(inner, f"{prefix}.{name}".strip(".")).items()}
