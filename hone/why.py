"""`hone why STAGE`: what changed since the stage last ran, with old and new value."""

import difflib
import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import typer

from flows.dvc_lock import ABSENT, Change, Snapshot, StageState, folder_files, read
from hone import past
from hone.closure import importers
from hone.terminal import paint
from tasks.errors import UserError

SHOWN = 12  # files of a changed folder that are listed


@dataclass(frozen=True)
class Cause:
    """A change with what a person wants to know of it.

    Attributes:
        role: what the file is to the stage, e.g. ``imported by tasks/finetune.py``; empty for params.
        lines: (added, removed), where the old version is known and both are text.
        files: of a folder: ``added``, ``removed``, ``changed`` paths, where its old listing is known.
    """

    kind: str
    name: str
    old: Any
    new: Any
    role: str = ""
    lines: tuple[int, int] | None = None
    files: dict[str, list[str]] | None = None


@dataclass(frozen=True)
class Answer:
    """Why a stage runs or does not.

    Attributes:
        verdict: ``never ran``, ``changed``, ``upstream changed`` or ``unchanged``.
        upstream: stages that run first, in order, each with the deps of this stage that it may change.
    """

    stage: str
    verdict: str
    causes: list[Cause] = field(default_factory=list)
    upstream: dict[str, list[str]] = field(default_factory=dict)


def why(stage: str, as_json: bool) -> int:
    """Print why ``stage`` would run; 0 also if nothing changed. Raises UserError for an unknown stage."""
    answer = explain(stage, read())
    if as_json:
        typer.echo(json.dumps(asdict(answer), ensure_ascii=False, indent=2, default=str))
    else:
        typer.echo("\n".join(lines(answer)))
    return 0


def explain(name: str, snapshot: Snapshot) -> Answer:
    """The causes of one stage, its own and those upstream."""
    if name not in snapshot.stages:
        raise UserError(f"{name!r} is not a stage of dvc.yaml; there are: {', '.join(snapshot.stages)}")
    state = snapshot.stages[name]
    upstream = _stale_upstream(state, snapshot)
    if not state.ran:
        return Answer(name, "never ran", [], upstream)
    roles = importers(state.command, _adapters())
    causes = [_cause(change, state, roles, snapshot.cache) for change in state.changes]
    verdict = "changed" if causes else "upstream changed" if upstream else "unchanged"
    return Answer(name, verdict, causes, upstream)


def lines(answer: Answer) -> list[str]:
    """The answer for a person; coloured if stdout is a terminal."""
    head = {
        "never ran": f"{answer.stage} never ran (not in dvc.lock); 'hone run {answer.stage}' runs it",
        "changed": f"{answer.stage} is out of date, {_many(len(answer.causes), 'change')} since it last ran:",
        "upstream changed": f"{answer.stage} itself is unchanged, but what it builds on is out of date:",
        "unchanged": f"{answer.stage} is up to date: nothing it depends on changed since it last ran",
    }[answer.verdict]
    text = [paint(head, "bold", sys.stdout)]
    width = max((len(cause.name) for cause in answer.causes), default=0)
    for cause in answer.causes:
        text.append(f"  {paint(f'{cause.kind:<8}', 'cyan', sys.stdout)}  {cause.name:<{width}}  {_describe(cause)}")
        if cause.files:
            listed = [(how, name) for how, names in cause.files.items() for name in names]
            text += [f"              {how:<8}{name}" for how, name in listed[:SHOWN]]
            if len(listed) > SHOWN:
                text.append(f"              and {len(listed) - SHOWN} more (--json lists all)")
    label = paint("upstream", "cyan", sys.stdout)
    for stage, deps in answer.upstream.items():
        effect = f"is out of date and runs first; it may change {', '.join(deps)} (hone why {stage})"
        text.append(f"  {label}  {stage} {effect}")
    return text


def _describe(cause: Cause) -> str:
    old, new = _short(cause, cause.old), _short(cause, cause.new)
    arrow = f"{old} -> {new}"
    if cause.kind == "command":
        return _differing(str(cause.old).split(), str(cause.new).split())
    if cause.kind == "out":
        how = "is missing" if cause.new == ABSENT else "was edited by hand"
        was = f" (was {old})" if cause.new == ABSENT else f" ({arrow})"
        return f"{how}{was}; the run brings it back from the cache or makes it again"
    if cause.kind != "param" and ABSENT in (cause.old, cause.new):
        arrow = f"new among the deps ({new})" if cause.old == ABSENT else f"is missing (was {old})"
    parts = [arrow]
    if cause.lines:
        parts.append(f"+{cause.lines[0]} -{cause.lines[1]} lines")
    if cause.files is not None:
        parts.append(", ".join(f"{len(names)} {how}" for how, names in cause.files.items() if names))
    if cause.role:
        parts.append(cause.role)
    return ", ".join(part for part in parts if part)


def _differing(old: list[str], new: list[str]) -> str:
    """The words of a command that differ, as ``old -> new``."""
    steps = difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes()
    pairs = [(old[a:b] or [ABSENT], new[c:d] or [ABSENT]) for kind, a, b, c, d in steps if kind != "equal"]
    return ", ".join(f"{' '.join(left)} -> {' '.join(right)}" for left, right in pairs) or "spaces only"


def _short(cause: Cause, value: Any) -> str:
    if value == ABSENT:
        return ABSENT
    return json.dumps(value, ensure_ascii=False, default=str) if cause.kind == "param" else str(value)[:7]


def _cause(change: Change, state: StageState, roles: dict[str, str], cache: Path) -> Cause:
    if change.kind in ("command", "param", "out"):
        return Cause(change.kind, change.name, change.old, change.new)
    counted = files = None
    if change.old != ABSENT and change.new != ABSENT:
        if change.old.endswith(".dir") and change.new.endswith(".dir"):
            now = folder_files(change.name)
            here = Path(change.name)
            every = {path.relative_to(here).as_posix() for path in here.rglob("*") if path.is_file()}
            ignored = frozenset(every - now.keys())
            files = _compare(past.folder(change.name, change.old, change.size, cache, ignored), now)
        elif not change.old.endswith(".dir") and not change.new.endswith(".dir"):
            before = past.content(change.name, change.old, change.size, cache)
            counted = past.lines_changed(before, Path(change.name)) if before is not None else None
    role = roles.get(change.name) or _role(change.name, state, roles)
    return Cause("code" if change.name in roles else "file", change.name, change.old, change.new, role, counted, files)


def _role(path: str, state: StageState, roles: dict[str, str]) -> str:
    """What a dep that is no imported file itself is to the stage."""
    if path in state.upstream:
        return f"made by {state.upstream[path]}"
    inside = [name for name in roles if name.startswith(f"{path}/")]
    if inside:
        return f"folder of {_many(len(inside), 'file')} that the stage imports"
    if f"{path}/".startswith("data/raw/"):
        return "raw data"
    return "listed in deps of dvc.yaml"


def _compare(old: dict[str, str] | None, new: dict[str, str]) -> dict[str, list[str]] | None:
    if old is None:
        return None
    return {
        "added": sorted(new.keys() - old.keys()),
        "removed": sorted(old.keys() - new.keys()),
        "changed": sorted(name for name in old.keys() & new.keys() if old[name] != new[name]),
    }


def _stale_upstream(state: StageState, snapshot: Snapshot) -> dict[str, list[str]]:
    """Stages above ``state`` that run first, in the order of dvc.yaml, with the deps they reach."""
    found: dict[str, list[str]] = {}

    def climb(maker: str, dep: str, seen: frozenset[str]) -> None:
        if maker in seen:
            return  # DVC refuses cycles; this only keeps the walk finite
        above = snapshot.stages[maker]
        if above.stale and dep not in found.setdefault(maker, []):
            found[maker].append(dep)
        for next_maker in dict.fromkeys(above.upstream.values()):
            climb(next_maker, dep, seen | {maker})

    for dep, maker in state.upstream.items():
        climb(maker, dep, frozenset({state.name}))
    return {name: found[name] for name in snapshot.stages if name in found}


def _adapters() -> list[str]:
    """The adapter that params.yaml names: loaded by its name, so no import statement shows it."""
    from tasks.yaml_files import read_yaml

    return [f"tasks/adapters/{read_yaml(Path('params.yaml')).get('task')}.py"]


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
