"""The DAG as dvc.yaml writes it: which stages there are, what each reads and leaves, and in which order they run."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from flows.yaml_files import read_yaml
from tasks.errors import UserError

PIPELINE = Path("dvc.yaml")
PARAMS = Path("params.yaml")
TEMPLATE = re.compile(r"(?<!\\)\$\{([^{}]+)\}")


@dataclass(frozen=True)
class Stage:
    """One stage of dvc.yaml with every ``${...}`` filled in. Paths are as written there.

    ``outs`` are cached by DVC, ``uncached`` are those with ``cache: false`` (metrics that live in Git), ``metrics``
    the files of its metrics block, ``sources`` the ``.dvc`` files that track one of its deps.
    """

    name: str
    desc: str
    deps: tuple[str, ...]
    outs: tuple[str, ...]
    uncached: tuple[str, ...]
    metrics: tuple[str, ...]
    sources: tuple[str, ...]

    @property
    def leaves(self) -> tuple[str, ...]:
        """All that the stage writes."""
        return self.outs + self.uncached


def stages() -> list[Stage]:
    """The stages of dvc.yaml in the order in which DVC reproduces them: each after all that it reads from.

    Raises:
        UserError: no or broken dvc.yaml, an unknown ``${...}``, a circle, or a form that only ``dvc repro`` knows.
    """
    pipeline = read_yaml(PIPELINE)
    blocks = pipeline.get("stages") or {}
    if not blocks:
        raise UserError(f"{PIPELINE}: no stages; 'git checkout {PIPELINE}' brings the last ones back")
    values = _variables(pipeline)
    return in_order([_stage(name, block, values) for name, block in blocks.items()])


def in_order(unordered: list[Stage]) -> list[Stage]:
    """Depth first along the deps, as DVC walks its graph, so that both doors run siblings in the same order."""
    ordered: list[Stage] = []
    path: list[str] = []
    leaves = {stage.name: touching(stage.leaves) for stage in unordered}

    def visit(stage: Stage) -> None:
        if stage in ordered:
            return
        if stage.name in path:
            raise UserError(
                f"{PIPELINE}: the stages {' -> '.join([*path, stage.name])} depend on each other in a circle"
            )
        path.append(stage.name)
        for dep in stage.deps:
            for other in unordered:
                if leaves[other.name](dep):
                    visit(other)
        path.pop()
        ordered.append(stage)

    for stage in unordered:
        visit(stage)
    return ordered


def select(ordered: list[Stage], names: list[str]) -> list[Stage]:
    """The named stages and all that they depend on, in order; every stage when no name is given.

    Raises:
        UserError: a name that dvc.yaml does not have.
    """
    if not names:
        return ordered
    known = {stage.name: stage for stage in ordered}
    for name in names:
        if name not in known:
            raise UserError(f"{name!r} is no stage; {PIPELINE} has: {', '.join(known)}")
    wanted = set(names)
    for stage in reversed(ordered):
        if stage.name in wanted:
            wanted |= {other.name for other in ordered if any(overlap(d, o) for d in stage.deps for o in other.leaves)}
    return [stage for stage in ordered if stage.name in wanted]


def overlap(one: str, other: str) -> bool:
    """Whether two paths are the same or one lies inside the other."""
    a, b = _parts(one), _parts(other)
    return a[: len(b)] == b or b[: len(a)] == a


def touching(paths: Iterable[str]) -> Callable[[str], bool]:
    """Whether a path overlaps with one of many, without comparing it with each."""
    whole = {_parts(path) for path in paths}
    above = {parts[:depth] for parts in whole for depth in range(len(parts))}

    def touches(path: str) -> bool:
        parts = _parts(path)
        return parts in above or any(parts[:depth] in whole for depth in range(len(parts) + 1))

    return touches


@lru_cache(maxsize=4096)
def _parts(path: str) -> tuple[str, ...]:
    """Taken apart once: the stages of a pipeline are compared in every pair of their paths."""
    return Path(path).parts


def value_of(values: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted key in nested mappings; None where there is none."""
    inner: Any = values
    for part in filter(None, key.split(".")):
        inner = inner.get(part) if isinstance(inner, dict) else None
    return inner


def variable_files() -> list[str]:
    """The files that dvc.yaml takes values from (``vars:``), params.yaml among them."""
    pipeline = read_yaml(PIPELINE)
    blocks = [pipeline, *(pipeline.get("stages") or {}).values()]
    entries = [entry for block in blocks for entry in block.get("vars") or [] if isinstance(entry, str)]
    return sorted({str(PARAMS), *(entry.partition(":")[0] for entry in entries)})


def _variables(pipeline: Mapping[str, Any]) -> dict[str, Any]:
    values = read_yaml(PARAMS) if PARAMS.exists() else {}
    for entry in pipeline.get("vars") or []:
        if isinstance(entry, dict):
            values = {**values, **entry}
        elif entry.endswith((".yaml", ".yml")):
            values = {**values, **read_yaml(Path(entry))}
    return values


def _stage(name: str, block: Any, values: Mapping[str, Any]) -> Stage:
    if not isinstance(block, dict):
        raise UserError(f"{PIPELINE}: stages.{name}: not a mapping; see 'git diff {PIPELINE}'")
    for word in ("foreach", "matrix", "wdir"):
        if word in block:
            raise UserError(f"{PIPELINE}: stages.{name}: {word!r} is known to 'dvc repro' only; run that instead")

    def paths(key: str, *, cached: bool | None = None) -> tuple[str, ...]:
        found = []
        for entry in block.get(key) or []:
            path, options = next(iter(entry.items())) if isinstance(entry, dict) else (entry, {})
            if cached is None or cached is bool((options or {}).get("cache", True)):
                found.append(fill(str(path), values, name))
        return tuple(found)

    kinds = ("outs", "metrics", "plots")
    deps = paths("deps")
    return Stage(
        name=name,
        desc=str(block.get("desc") or ""),
        deps=deps,
        outs=tuple(path for kind in kinds for path in paths(kind, cached=True)),
        uncached=tuple(path for kind in kinds for path in paths(kind, cached=False)),
        metrics=paths("metrics"),
        sources=_sources(deps),
    )


def fill(text: str, values: Mapping[str, Any], stage: str) -> str:
    """``text`` with every ``${...}`` replaced by its value.

    Raises:
        UserError: a name that ``values`` does not have.
    """

    def value(match: re.Match[str]) -> str:
        found: Any = values
        for part in match[1].strip().split("."):
            if not isinstance(found, dict) or part not in found:
                raise UserError(f"{PIPELINE}: stages.{stage}: '{match[0]}' is not in {PARAMS}; add it there")
            found = found[part]
        return str(found)

    return TEMPLATE.sub(value, text)


def _sources(deps: tuple[str, ...]) -> tuple[str, ...]:
    beside: dict[str, bool] = {}  # deps have folders in common
    found: list[str] = []
    for dep in deps:
        parts = _parts(dep)
        for depth in range(len(parts), 0, -1):
            path = f"{os.path.join(*parts[:depth])}.dvc"  # noqa: PTH118  # a Path takes ten times as long
            if path not in beside:
                beside[path] = parts[depth - 1] != "/" and os.path.isfile(path)  # noqa: PTH113
            found += [path] if beside[path] else []
        inside = sorted(Path(dep).rglob("*.dvc")) if os.path.isdir(dep) else []  # noqa: PTH112
        found += [str(path) for path in inside if path.is_file()]
    return tuple(dict.fromkeys(found))
