"""`hone resolve`: the merge conflicts that two branches with results of their own leave in dvc.lock and beside it.

dvc.lock says per stage which inputs gave which outputs, so each entry can be checked against what the merge made of
params, code and data. An entry that fits is kept, with the metrics and costs of its run. Where neither side's fits, the
entry goes and the stage runs again: no figure stays that the merged code did not give.
"""

import hashlib
import re
from pathlib import Path
from typing import Any, Literal

import typer

from flows import dag, dvc_lock, revisions
from tasks.errors import UserError
from tasks.yaml_files import read_yaml_text

LOCK = "dvc.lock"
DECIDING = ("params.yaml", "dvc.yaml")
Side = Literal["both", "HEAD", "other", "neither"]
SAID: dict[Side, str] = {
    "both": "the same on both sides, kept",
    "HEAD": "HEAD's result fits the merged files, kept",
    "other": "the other side's result fits the merged files, kept",
    "neither": "neither side's result fits the merged files; it runs again",
}


def resolve() -> int:
    """Settle the conflicts, put the files into Git's index and say what is left to do; 0.

    Raises:
        UserError: no conflict in dvc.lock, or one in the files that decide.
    """
    conflicts = revisions.unmerged()
    if LOCK not in conflicts:
        others = f"; these are for you: {', '.join(conflicts)}" if conflicts else ""
        raise UserError(f"{LOCK} has no merge conflict{others}")
    if deciding := [path for path in conflicts if path in DECIDING or path.endswith(".py")]:
        raise UserError(f"{', '.join(deciding)}: settle these first and 'git add' them, they decide which results fit")
    chosen, settled = settle()
    revisions.add(settled)
    width = max(len(name) for name in chosen)
    for name, side in chosen.items():
        typer.echo(f"{name:<{width}}  {SAID[side]}")
    left = [path for path in revisions.unmerged() if Path(path) not in settled]
    if left:
        typer.echo(f"\nstill in conflict, for you: {', '.join(left)}")
    again = [name for name, side in chosen.items() if side == "neither"]
    if again:
        typer.echo(f"\nnext: hone run (it makes {', '.join(again)}), git add --update, git commit, dvc push")
    else:
        typer.echo("\nnext: dvc checkout (brings the outs that were kept), git commit")
    return 0


def settle() -> tuple[dict[str, Side], list[Path]]:
    """Write dvc.lock and the uncached files of its stages; which side each stage comes from, and the files written."""
    ours, theirs = (_entries(ours=ours) for ours in (True, False))
    dvc_lock.write(ours)  # with conflict marks in it DVC reads no stage
    states = {"HEAD": dvc_lock.read(ours).stages, "other": dvc_lock.read(theirs).stages}
    sides: dict[Side, dict[str, Any]] = {"HEAD": ours, "other": theirs}
    kept: dict[str, Any] = {}
    chosen: dict[str, Side] = {}
    settled = [Path(LOCK)]
    for stage in dag.stages():
        fitting: list[Side] = [
            side
            for side, entries in sides.items()
            if stage.name in entries and _fits(entries[stage.name], states[side][stage.name], kept)
        ]
        if len(fitting) == 2 and ours[stage.name] == theirs[stage.name]:
            chosen[stage.name] = "both"
        else:
            chosen[stage.name] = fitting[0] if fitting else "neither"
        if fitting:
            kept[stage.name] = sides[fitting[0]][stage.name]
        cost = re.findall(r"--cost (\S+)", states["HEAD"][stage.name].command)
        for path in (*stage.uncached, *cost):
            if _put(path, fitting[0] if fitting else None, kept.get(stage.name, {})):
                settled.append(Path(path))
    dvc_lock.write({name: kept[name] for name in dict.fromkeys([*ours, *theirs]) if name in kept})
    return chosen, settled


def _entries(*, ours: bool) -> dict[str, Any]:
    content = revisions.side(LOCK, ours)
    if content is None:
        return {}
    entries: dict[str, Any] = read_yaml_text(content.decode("utf-8"), LOCK).get("stages") or {}
    return entries


def _fits(entry: dict[str, Any], state: dvc_lock.StageState, kept: dict[str, Any]) -> bool:
    """Whether command, params and inputs are those of the merged files, and what it read is what was kept upstream."""
    changed = [change for change in state.changes if change.kind != "out" and change.name not in state.upstream]
    if changed:
        return False
    made = {out["path"]: out.get("md5") for other in kept.values() for out in other.get("outs") or []}
    read = {dep["path"]: dep.get("md5") for dep in entry.get("deps") or []}
    return all(read.get(path) == made.get(path, "not kept") for path in state.upstream)


def _put(path: str, side: Side | None, entry: dict[str, Any]) -> bool:
    """Write what the kept run left in ``path``, or remove it where no run was kept; whether anything was in Git."""
    contents = [revisions.side(path, ours) for ours in (True, False)]
    if contents == [None, None]:
        return False
    content = None if side is None else contents[side == "other"]
    wanted = {out["path"]: out.get("md5") for out in entry.get("outs") or []}.get(path)
    if content is None or (wanted is not None and hashlib.md5(content).hexdigest() != wanted):
        Path(path).unlink(missing_ok=True)
    else:
        Path(path).write_bytes(content)
    return True
