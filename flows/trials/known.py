"""A key for all that decides a trial's result, computed from the snapshot alone, so that a known one needs no run."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from flows.dag import PARAMS, PIPELINE, TEMPLATE, fill, touching, value_of
from flows.trials.git import blobs, git
from flows.trials.overrides import changed
from tasks.errors import UserError

if TYPE_CHECKING:
    from flows.trials.snapshot import Snapshot

FORM = "2"  # of the key; another one when it is computed otherwise


class Inputs:
    """What a snapshot holds for the stages of dvc.yaml, read once for any number of trials.

    Data and code count by Git's ids of what is in the snapshot, data under DVC by that of its ``.dvc`` file. Params
    count where a stage declares them. Stages that no metrics depend on do not count, nor does what another stage makes:
    it follows from that stage's inputs.
    """

    def __init__(self, root_values: dict[str, Any], pipeline: dict[str, Any], ids: dict[str, str]) -> None:
        self.values = root_values
        self._stages: dict[str, Any] = pipeline.get("stages") or {}
        self._vars = pipeline.get("vars") or []
        self._ids = ids
        self._dvc_files = [path for path in ids if path.endswith(".dvc")]
        self._keys: dict[str, str] = {}
        self._resolved: dict[str, tuple[dict[str, Any], dict[str, dict[str, Any]]]] = {}

    @classmethod
    def of(cls, snapshot: "Snapshot") -> "Inputs":
        """Read dvc.yaml, params.yaml and the ids of all files of the snapshot (two processes, some milliseconds)."""
        listing = git("ls-tree", "-r", "-t", "-z", "--full-tree", snapshot.tree, cwd=snapshot.root)
        ids = {}
        for line in filter(None, listing.split("\0")):
            about, _, path = line.partition("\t")
            ids[path] = about.split()[2]
        pipeline, params = blobs([f"{snapshot.tree}:{PIPELINE}", f"{snapshot.tree}:{PARAMS}"], cwd=snapshot.root)
        if pipeline is None or params is None:
            raise UserError(f"{PIPELINE} or {PARAMS} is ignored by Git; trials carry only what Git would take")
        return cls(parsed(params, str(PARAMS)), parsed(pipeline, str(PIPELINE)), ids)

    @property
    def files(self) -> set[str]:
        """Paths of all files and folders."""
        return set(self._ids)

    def key(self, overrides: Mapping[str, Any]) -> str:
        """The SHA-256 in hexadecimal of all that decides the result with these overrides.

        Raises:
            UserError: an unknown params key, or a dep that neither Git nor DVC has.
        """
        asked = _asked(overrides)
        if asked not in self._keys:
            self._keys[asked] = self._key(overrides)
        return self._keys[asked]

    def _key(self, overrides: Mapping[str, Any]) -> str:
        values, every = self._resolve(overrides)
        stages = _deciding(every)
        made = _made(stages)
        inputs = {
            "form": FORM,
            "vars": [self._id(str(entry).partition(":")[0], "vars") for entry in self._vars if isinstance(entry, str)],
            "stages": {name: self._stage(name, block, values, made) for name, block in stages.items()},
        }
        return hashlib.sha256(json.dumps(inputs, sort_keys=True, default=str).encode()).hexdigest()

    def declares(self, overrides: Mapping[str, Any]) -> bool:
        """Whether each of these keys is a param of a stage that metrics depend on, so that the key tells its value."""
        values, stages = self._resolve(overrides)
        declared = [
            name.partition(":")[2]
            for stage, block in _deciding(stages).items()
            for name, _ in self._params(stage, block, values)
            if name.startswith(f"{PARAMS}:")
        ]
        return all(any(not one or key == one or key.startswith(f"{one}.") for one in declared) for key in overrides)

    def sources(self, overrides: Mapping[str, Any]) -> list[str]:
        """The ``.dvc`` files that track a dep of some stage."""
        if not self._dvc_files:
            return []
        found: dict[str, None] = {}
        for block in self._resolve(overrides)[1].values():
            for dep in paths(block, ("deps",)):
                found |= dict.fromkeys(self._beside(dep))
                found |= {path: None for path in self._dvc_files if path.startswith(f"{dep}/")}
        return list(found)

    def raw(self, overrides: Mapping[str, Any]) -> list[str]:
        """The deps that no stage makes."""
        stages = self._resolve(overrides)[1]
        made = _made(stages)
        deps = dict.fromkeys(dep for block in stages.values() for dep in paths(block, ("deps",)))
        return [dep for dep in deps if "://" not in dep and not made(dep)]

    def metrics(self) -> list[str]:
        """The metrics files of the stages with the params as they are."""
        return [path for block in self._resolve({})[1].values() for path in paths(block, ("metrics",))]

    def _resolve(self, overrides: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """The params with these overrides, and the stages with every ``${...}`` filled in; worked out once."""
        asked = _asked(overrides)
        if asked not in self._resolved:
            if len(self._resolved) >= 8:  # a search asks for hundreds, each once
                self._resolved.clear()
            values = changed(self.values, overrides)
            names = {**values, **{k: v for entry in self._vars if isinstance(entry, dict) for k, v in entry.items()}}
            stages = {name: _filled(block, names, name) for name, block in self._stages.items()}
            self._resolved[asked] = values, stages
        return self._resolved[asked]

    def _stage(
        self, name: str, block: dict[str, Any], values: dict[str, Any], made: Callable[[str], bool]
    ) -> dict[str, Any]:
        deps = [dep for dep in paths(block, ("deps",)) if not made(dep)]
        return {
            "cmd": block.get("cmd"),
            "wdir": block.get("wdir", "."),
            "deps": {dep: dep if "://" in dep else self._id(dep, name) for dep in deps},
            "params": dict(self._params(name, block, values)),
            "outs": sorted(paths(block, ("outs", "metrics", "plots"))),
        }

    def _id(self, path: str, stage: str) -> str:
        found = [self._ids[path]] if path in self._ids else []
        found += [self._ids[source] for source in self._beside(path)]
        if not found:
            raise UserError(
                f"{PIPELINE}: stages.{stage}: {path} is in neither Git nor DVC, so a trial would not have it; "
                f"'git add' or 'dvc add' it, or bring it back if it is missing"
            )
        return "+".join(found)

    def _beside(self, path: str) -> list[str]:
        """The ``.dvc`` files that track a path or a folder above it."""
        if not self._dvc_files:
            return []
        pure = PurePosixPath(path)
        return [f"{up}.dvc" for up in (pure, *pure.parents) if f"{up}.dvc" in self._ids]

    def _params(self, stage: str, block: dict[str, Any], values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        for entry in block.get("params") or []:
            for file, keys in entry.items() if isinstance(entry, dict) else [(str(PARAMS), [entry])]:
                if file != str(PARAMS):
                    yield file, self._id(file, stage)
                    continue
                for key in keys or [""]:
                    yield f"{file}:{key}", value_of(values, str(key))


def _asked(overrides: Mapping[str, Any]) -> str:
    return json.dumps(dict(overrides), sort_keys=True, default=repr)


def _made(stages: Mapping[str, dict[str, Any]]) -> Callable[[str], bool]:
    """Whether a path is what a stage makes, within it or around it."""
    return touching(path for block in stages.values() for path in paths(block, ("outs", "metrics", "plots")))


def _deciding(stages: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The stages with metrics and all that they read from; what only shows results (a report) makes no other trial."""
    wanted = [name for name, block in stages.items() if block.get("metrics")]
    if not wanted:
        return stages
    leaves = {name: _made({name: block}) for name, block in stages.items()}
    for name in wanted:  # grows meanwhile
        deps = paths(stages[name], ("deps",))
        for other in stages:
            if other not in wanted and any(map(leaves[other], deps)):
                wanted.append(other)
    return {name: block for name, block in stages.items() if name in wanted}


def parsed(content: bytes, name: str) -> dict[str, Any]:
    """The mapping in YAML 1.2 text.

    Raises:
        UserError: something else.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        values = YAML(typ="safe").load(content.decode("utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{name}: not YAML ({' '.join(str(error).split())}); mend it") from None
    if not isinstance(values, dict):
        raise UserError(f"{name}: no mapping; 'git checkout {name}' brings the last one back")
    return values


def paths(block: Mapping[str, Any], kinds: tuple[str, ...]) -> list[str]:
    """The paths of the entries of a stage's block, whether plain or with options."""
    entries = [entry for kind in kinds for entry in block.get(kind) or []]
    return [str(next(iter(entry)) if isinstance(entry, dict) else entry) for entry in entries]


def _filled(value: Any, values: Mapping[str, Any], stage: str) -> Any:
    if isinstance(value, str):
        return fill(value, values, stage) if TEMPLATE.search(value) else value
    if isinstance(value, list):
        return [_filled(inner, values, stage) for inner in value]
    if isinstance(value, dict):
        return {fill(str(key), values, stage): _filled(inner, values, stage) for key, inner in value.items()}
    return value
