"""Take a trial over into the workspace: its params, lock and metrics, its outs from the cache, nothing trained."""

import difflib
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flows.dag import PARAMS, stages
from flows.dvc import DVC, LOCK
from flows.trials.disk import cache_folder, missing
from flows.trials.git import blobs, git
from flows.trials.known import Inputs
from flows.trials.overrides import difference, leaves, rewritten
from flows.trials.recorded import list_trials
from flows.trials.snapshot import Snapshot, take
from flows.trials.trial import Recorded
from tasks.errors import UserError


@dataclass(frozen=True)
class Adopted:
    """What changed: params with old and new value, and outs that no cache and no remote has any more."""

    params: dict[str, tuple[Any, Any]]
    lost: list[str]


def find(name: str) -> Recorded:
    """The recorded trial of that name, or whose commit begins with it.

    Raises:
        UserError: there is none, or several.
    """
    known = list_trials()
    found = [one for one in known if one.trial.name == name]
    found = found or [one for one in known if len(name) >= 4 and one.rev.startswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        commits = ", ".join(one.rev[:9] for one in found)
        raise UserError(f"{name!r} names {len(found)} trials; take one of their commits: {commits}")
    names = [one.trial.name for one in known]
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]!r}?" if close else "'dvc exp list -A' lists them, 'dvc exp pull' brings others"
    raise UserError(f"{name!r}: no such trial here; {hint}")


def adopt(found: Recorded) -> Adopted:
    """Bring the workspace to the trial's state; all or nothing but for outs that are nowhere to be had.

    Comments in params.yaml and every file that decides no result stay as they are. Outs of the workspace that DVC has
    no copy of are not overwritten.

    Raises:
        UserError: the trial was made with other code or data, or DVC refuses.
    """
    snapshot = take()
    inputs = Inputs.of(snapshot)
    theirs = Inputs.of(replace(snapshot, tree=f"{found.rev}^{{tree}}"))
    apart = difference(inputs.values, theirs.values)
    overrides = {key: value for key, value in apart.items() if _decides(inputs, key, value)}
    if inputs.key(overrides) != theirs.key({}):
        _refuse_other(found, snapshot)
    old = leaves(inputs.values)
    uncached = [path for stage in stages() for path in stage.uncached]
    files = [Path(path) for path in (str(LOCK), *uncached)]
    contents = blobs([f"{found.rev}:{path.as_posix()}" for path in files])
    before = {path: path.read_bytes() if path.is_file() else None for path in (PARAMS, *files)}
    try:
        text = PARAMS.read_text(encoding="utf-8")
        _replace(PARAMS, rewritten(text, overrides).encode())
        for path, content in zip(files, contents, strict=True):
            if content is not None:
                _replace(path, content)
        outs = [path for stage in stages() for path in stage.outs]
        lost = _restore(outs)
    except BaseException:
        for path, content in before.items():
            if content is not None:
                _replace(path, content)
        raise
    return Adopted({key: (old[key], value) for key, value in overrides.items()}, lost)


def _decides(inputs: Inputs, key: str, value: Any) -> bool:
    """Whether any stage depends on that key; goal, space of a search and the like are the user's, not the trial's."""
    try:
        return inputs.key({key: value}) != inputs.key({})
    except UserError:  # data of another name that is not here
        return True


def _restore(outs: list[str]) -> list[str]:
    """Bring the outs of dvc.lock back, from the remote what the cache lacks; those that neither has."""
    lock = LOCK.read_bytes()
    cache = cache_folder()
    lacking = missing(lock, cache)
    if lacking:
        _dvc("fetch", "--quiet", *sorted(lacking))
        lacking = missing(lock, cache)
    there = [out for out in outs if out not in lacking]
    done = _dvc("checkout", "--quiet", *there)
    if done.returncode != 0:
        said = " ".join((done.stderr or done.stdout).split())
        said = said[said.rfind("ERROR:") :].removeprefix("ERROR:").strip()
        raise UserError(
            f"nothing was changed, for DVC has no copy of what would be overwritten ({said}); "
            "'dvc commit' keeps what is there, 'dvc checkout --force' drops it"
        )
    return sorted(lacking)


def _dvc(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*DVC, "--wait-for-lock", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        start_new_session=True,
        check=False,
    )


def _refuse_other(found: Recorded, snapshot: Snapshot) -> None:
    changed = git("diff", "--name-only", "-z", found.rev, snapshot.tree).split("\0")
    results = {str(LOCK), *(path for stage in stages() for path in stage.uncached), str(PARAMS)}
    deciding = {dep for stage in stages() for dep in stage.deps} | {"dvc.yaml"}
    files = [
        path
        for path in changed
        if path and path not in results and any(path == dep or path.startswith(f"{dep}/") for dep in deciding)
    ] or [path for path in changed if path and path not in results]
    more = f" and {len(files) - 3} more" if len(files) > 3 else ""
    raise UserError(
        f"{found.trial.name} was made with other code or data ({', '.join(files[:3]) or 'params'}{more}); try it again "
        f"on what is here, or take all of it: 'git stash', then 'dvc exp apply {found.trial.name}'"
    )


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    draft.write_bytes(content)
    if path.exists():
        draft.chmod(path.stat().st_mode & 0o777)
    draft.replace(path)
