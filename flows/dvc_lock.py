"""What dvc.lock remembers of each stage against what lies in the workspace; read without a lock of DVC."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from tasks.errors import UserError
from tasks.yaml_files import read_yaml

LOCK = Path("dvc.lock")
ABSENT = "(absent)"  # a value that one side does not have


@dataclass(frozen=True)
class Change:
    """One thing that differs between the lock and the workspace.

    Attributes:
        kind: what it is; an ``out`` is one that is missing or was edited.
        name: params key, path, or ``command``.
        old: value, or md5 of the content (a folder's ends in ``.dir``), in dvc.lock; or ABSENT.
        new: the same in the workspace; or ABSENT.
        size: bytes of the old content, for files and folders.
    """

    kind: Literal["command", "param", "dep", "out"]
    name: str
    old: Any
    new: Any
    size: int | None = None


@dataclass(frozen=True)
class StageState:
    """A stage as dvc.yaml has it, and what changed since it last ran (nothing is listed if it never did)."""

    name: str
    command: str
    ran: bool
    changes: list[Change]
    upstream: dict[str, str]  # path of a dep -> the stage that makes it

    @property
    def stale(self) -> bool:
        """Whether the stage itself asks for a run, whatever its upstream does."""
        return not self.ran or bool(self.changes)


@dataclass(frozen=True)
class Snapshot:
    """All stages of dvc.yaml by name, in its order, and the folder of DVC's cached objects."""

    stages: dict[str, StageState]
    cache: Path


def read(entries: dict[str, Any] | None = None) -> Snapshot:
    """Compare dvc.lock with the workspace; the current folder is the project's.

    Args:
        entries: the stages of another dvc.lock to compare with instead.

    Raises:
        UserError: dvc.yaml, dvc.lock or params.yaml cannot be read.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    locked = entries
    if locked is None:
        locked = (read_yaml(LOCK).get("stages") or {}) if LOCK.exists() else {}
    try:
        with Repo() as repo:
            stages = [stage for stage in repo.index.stages if stage.path_in_repo == "dvc.yaml" and stage.cmd]
            makers = {_path(out): stage.name for stage in stages for out in stage.outs}
            states = {stage.name: _state(stage, locked.get(stage.name), makers) for stage in stages}
            order = [name for name in read_yaml(Path("dvc.yaml")).get("stages") or {} if name in states]
            order += [name for name in states if name not in order]
            return Snapshot({name: states[name] for name in order}, Path(repo.cache.local.path))
    except DvcException as error:
        raise UserError(f"DVC cannot read the pipeline: {error}; 'dvc status' says more") from None


def write(entries: dict[str, Any]) -> None:
    """Write dvc.lock as DVC does, to the byte."""
    from dvc.utils.serialize import dumps_yaml

    part = LOCK.with_name(LOCK.name + ".part")
    part.write_text(dumps_yaml({"schema": "2.0", "stages": entries}), encoding="utf-8")
    part.replace(LOCK)


def folder_files(path: str) -> dict[str, str]:
    """md5 by relative path of the files below the folder ``path`` in the workspace, as DVC counts them."""
    from dvc.repo import Repo
    from dvc_data.hashfile.build import build

    with Repo() as repo:
        odb = repo.cache.local
        tree: Any
        _, _, tree = build(odb, str(Path(path).resolve()), repo.fs, "md5", ignore=repo.dvcignore, dry_run=True)
        return {entry["relpath"]: entry["md5"] for entry in tree.as_list()}


def _state(stage: Any, locked: dict[str, Any] | None, makers: dict[str, str]) -> StageState:
    from dvc.dependency.param import ParamsDependency

    paths = [_path(dep) for dep in stage.deps if not isinstance(dep, ParamsDependency)]
    upstream = {path: maker for path in paths for out, maker in makers.items() if _overlap(path, out)}
    changes = [] if locked is None else list(_changes(stage, locked, ParamsDependency))
    return StageState(stage.name, stage.cmd, locked is not None, changes, upstream)


def _changes(stage: Any, locked: dict[str, Any], params_type: Any) -> Iterator[Change]:
    if locked["cmd"] != stage.cmd:
        yield Change("command", "command", locked["cmd"], stage.cmd)
    for dep in stage.deps:
        if isinstance(dep, params_type):
            yield from _param_changes(dep, (locked.get("params") or {}).get(dep.def_path) or {})
    kinds: list[tuple[Literal["dep", "out"], list[Any]]] = [("dep", stage.deps), ("out", stage.outs)]
    for kind, items in kinds:
        entries = {entry["path"]: entry for entry in locked.get(f"{kind}s") or []}
        for item in items:
            if isinstance(item, params_type):
                continue
            entry = entries.get(item.def_path, {})
            old = entry.get("md5", ABSENT)
            new = item.get_hash().value if item.exists else ABSENT
            if old != new:
                yield Change(kind, _path(item), old, new, entry.get("size"))


def _param_changes(dep: Any, old: dict[str, Any]) -> Iterator[Change]:
    new = dep.read_params()
    for key in [*new, *(key for key in old if key not in new)]:
        if dep.params and key not in dep.params:
            continue  # dvc.yaml no longer lists it, so DVC does not look at it
        before, after = flat(old.get(key, ABSENT), key), flat(new.get(key, ABSENT), key)
        for leaf in [*after, *(leaf for leaf in before if leaf not in after)]:
            left, right = before.get(leaf, ABSENT), after.get(leaf, ABSENT)
            if left != right:
                yield Change("param", leaf, left, right)


def flat(value: Any, key: str) -> dict[str, Any]:
    """The leaves of nested mappings by dotted key; lists are leaves."""
    if not isinstance(value, dict) or not value:
        return {key: value}
    return {leaf: end for name, inner in value.items() for leaf, end in flat(inner, f"{key}.{name}").items()}


def _path(item: Any) -> str:
    """Path of a dep or out relative to the project, with ``/``."""
    return Path(str(item)).as_posix()


def _overlap(left: str, right: str) -> bool:
    a, b = PurePosixPath(left), PurePosixPath(right)
    return a.is_relative_to(b) or b.is_relative_to(a)
