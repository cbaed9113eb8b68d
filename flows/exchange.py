"""An exchange with DVC's remote, as a process of its own: objects and run-cache both ways, checked on the way.

Three gaps of DVC 3.67 are closed here. An object that is too short under its final name, as a cut copy leaves it that
goes past DVC, is taken for whole by DVC in both directions, so it is checked when brought and replaced when pushed.
``dvc push --run-cache`` sends entries of the run-cache without the metrics that they speak of, nor other runs' files.
And a cut entry can be valid YAML that lacks outs; its name, the hash of its content, tells.
"""

import hashlib
import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from flows.results import flat

MISSING = "no DVC remote is configured; 'dvc remote add -d NAME URL' adds one (a folder, ssh://host/path, s3://bucket)"
UNCHOSEN = "none of the DVC remotes is the default; 'dvc remote default NAME' chooses it"


@dataclass
class Moved:
    """What one exchange with the remote did.

    Attributes:
        objects: files that were copied.
        bytes: their size in all.
        damaged: hashes of objects of the remote that are not what they are named after.
        entries: entries of the run-cache that arrived cut and were dropped.
        differs: where nobody has run a stage as it stands here, what dvc.lock's result of it was made from otherwise.
    """

    objects: int = 0
    bytes: int = 0
    damaged: list[str] = field(default_factory=list)
    entries: int = 0
    differs: list[str] = field(default_factory=list)


class Exchange:
    """The project opened by DVC, with a remote that checks what it brings."""

    def __init__(self, repo: Any) -> None:
        self.repo = repo
        self.moved = Moved()

    def pull(self) -> None:
        from dvc.exceptions import CheckoutError, ConfirmRemoveError, DownloadError

        self._entries()
        stages = list(self.repo.index.stages)
        wanted = _objects(stages)
        self._bring(wanted)
        for stage in stages:
            if not all(out.exists for out in stage.outs if out.use_cache):
                try:
                    self.repo.checkout(targets=[stage.addressing], allow_missing=True)
                except (CheckoutError, ConfirmRemoveError, DownloadError):  # the run says what is missing, or makes it
                    continue

    def stage(self, name: str) -> None:
        from dvc.exceptions import DvcException
        from dvc.stage.cache import _can_hash

        (stage,) = self.repo.stage.collect(name)
        if any(not dep.exists for dep in stage.deps) or not stage.changed():
            return
        differs = _differing(stage)
        try:
            stage.save_deps()
            known = self.repo.stage_cache._load(stage) if _can_hash(stage) else None
        except DvcException:  # a param that is missing: the run says so
            return
        if known:
            self._bring(_objects([self.repo.stage_cache._create_stage(known, wdir=stage.wdir)]))
        else:
            self.moved.differs = differs

    def push(self, everything: bool) -> None:
        from dvc.stage.cache import _can_hash
        from dvc_data.hashfile.transfer import transfer

        stages = [stage for stage in self.repo.index.stages if not stage.is_repo_import]
        cache = self.repo.stage_cache
        if everything:
            entries = [cache._load_cache(*path.parts[-2:]) for path in sorted(Path(cache.cache_dir).glob("*/*/*"))]
        else:  # those of the workspace: they have the metrics too, which are in Git and not among a stage's cached outs
            own = [stage for stage in stages if stage.path_in_repo == "dvc.yaml"]
            ready = [stage for stage in own if all(dep.exists for dep in stage.deps) and _can_hash(stage)]
            entries = [cache._load(stage) for stage in ready]
        stages += [cache._create_stage(entry) for entry in entries if entry]
        for legacy, hashes in _by_store(_objects(stages)).items():
            ours, theirs = self._stores(legacy)
            whole = {one for one in self._with_members(hashes, ours) if ours.exists(one.value)}
            there = _present(theirs, whole)
            for value in sorted(there):
                if _size(theirs, value) != _size(ours, value):
                    theirs.fs.remove(theirs.oid_to_path(value))
                    self.moved.damaged.append(value)
            new = {one for one in whole if one.value not in there or one.value in self.moved.damaged}
            # Folders last: one that is there says that its files are.
            for part in (False, True):
                some = {one for one in new if one.isdir is part}
                if some:
                    transfer(ours, theirs, some, shallow=True)
            self._count(new, ours)
        self.repo.stage_cache.push(None)

    def _entries(self) -> None:
        """The run-cache of the remote; entries that are not what they are named after are dropped."""
        from dvc.stage.cache import _get_cache_hash

        cache = self.repo.stage_cache
        for key, value in cache.pull(None):
            entry = cache._load_cache(key, value)
            if entry is None or _get_cache_hash(entry) != value:
                Path(cache._get_cache_path(key, value)).unlink(missing_ok=True)
                self.moved.entries += 1

    def _bring(self, hashes: set[Any]) -> None:
        from dvc_data.hashfile.transfer import transfer

        for legacy, some in _by_store(hashes).items():
            ours, theirs = self._stores(legacy)
            for members in (False, True):  # folders name their files, so they come first
                wanted = self._with_members(some, ours) if members else some
                absent = {one for one in wanted if not ours.exists(one.value)}
                there = _present(theirs, absent)
                new = {one for one in absent if one.value in there}
                if new:
                    transfer(theirs, ours, new, shallow=True)
                    arrived = {one for one in new if legacy or _whole(ours, one.value)}
                    self._count(arrived, ours)
                    self.moved.damaged += sorted(one.value for one in new - arrived)

    def _with_members(self, hashes: set[Any], store: Any) -> set[Any]:
        """The hashes and, of each folder that the store has, those of its files."""
        from dvc_data.hashfile.tree import Tree

        found = set(hashes)
        for one in hashes:
            if one.isdir and store.exists(one.value):
                found |= {member for _, _, member in Tree.load(store, one)}
        return found

    def _stores(self, legacy: bool) -> tuple[Any, Any]:
        name = "md5-dos2unix" if legacy else "md5"
        ours = self.repo.cache.legacy if legacy else self.repo.cache.local
        return ours, self.repo.cloud.get_remote_odb(None, hash_name=name)

    def _count(self, hashes: set[Any], store: Any) -> None:
        self.moved.objects += len(hashes)
        self.moved.bytes += sum(_size(store, one.value) for one in hashes)


def _differing(stage: Any) -> list[str]:
    """Deps and params that are not those of the stage's result in dvc.lock, each with the value there and here."""
    found = []
    for dep in (dep for dep in stage.deps if dep.hash_info):
        for path, state in dep.workspace_status().items():
            if state == "modified":
                found.append(f"{path} ({dep.hash_info.value[:7]}, here {dep.get_hash().value[:7]})")
            elif isinstance(state, dict):
                there, here = dep.hash_info.value, dep.read_params()
                for key in state:  # may be a block
                    old, new = flat(there.get(key), key), flat(here.get(key), key)
                    leaves = [leaf for leaf in {**old, **new} if old.get(leaf) != new.get(leaf)]
                    found += [f"{leaf} ({_short(old.get(leaf))}, here {_short(new.get(leaf))})" for leaf in leaves]
    return found


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _objects(stages: list[Any]) -> set[Any]:
    """Hashes of all cached outs of these stages."""
    outs = (out for stage in stages for out in stage.outs)
    return {out.hash_info for out in outs if out.use_cache and out.hash_info and out.hash_info.value}


def _by_store(hashes: set[Any]) -> dict[bool, set[Any]]:
    """Hashes of DVC 2 (True) and of DVC 3, which are kept apart."""
    parts = {legacy: {one for one in hashes if (one.name == "md5-dos2unix") is legacy} for legacy in (False, True)}
    return {legacy: some for legacy, some in parts.items() if some}


def _present(store: Any, hashes: set[Any]) -> set[str]:
    """Those that a remote has, whole or cut: of a folder DVC would count the whole ones and take the others away."""
    values = [one.value for one in hashes]
    if store.fs.protocol == "local":
        return {value for value in values if store.exists(value)}
    return set(store.oids_exist(values)) if values else set()


def _whole(store: Any, value: str) -> bool:
    """Whether a file of the cache has the content that its name says; one that has not is removed."""
    path = Path(store.oid_to_path(value))
    if not path.is_file():
        return False
    with path.open("rb") as opened:
        found = hashlib.file_digest(opened, "md5").hexdigest()
    if found != value.removesuffix(".dir"):
        path.unlink()
        return False
    return True


def _size(store: Any, value: str) -> int:
    return int(store.fs.info(store.oid_to_path(value))["size"])


def main(arguments: list[str]) -> None:
    """The process: ``pull``, ``stage NAME`` or ``push [all]``; what was moved as the last line of stdout."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo, lock_repo

    try:
        with Repo(_wait_for_lock=True) as repo:
            names = list(repo.config["remote"])
            name = repo.config["core"].get("remote") or (names[0] if len(names) == 1 else None)
            if name is None:
                sys.exit(f"ERROR: {UNCHOSEN if names else MISSING}")
            repo.config["core"]["remote"] = name
            with lock_repo(repo):
                exchange = Exchange(repo)
                if arguments[0] == "pull":
                    exchange.pull()
                elif arguments[0] == "stage":
                    exchange.stage(arguments[1])
                else:
                    exchange.push(arguments[1:] == ["all"])
    except (DvcException, OSError) as error:
        sys.exit(f"ERROR: {type(error).__name__}: {error}")
    sys.stdout.write("\n" + json.dumps(asdict(exchange.moved)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
