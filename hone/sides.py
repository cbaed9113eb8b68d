"""The two sides of a comparison: each one model or several seeds of it, from the workspace or from revisions of Git."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows import revisions
from flows.dvc_lock import flat
from flows.objects import Objects, objects
from tasks.errors import UserError
from tasks.records import Prediction, read_predictions
from tasks.yaml_files import read_yaml, read_yaml_text

PREDICTIONS = "data/predictions.test.jsonl"
PREPARED = "data/prepared"
MODEL, CARD = "data/model", "hone.json"
TEST, TRAIN = "test.jsonl", "train.jsonl"
LOCK, PARAMS = "dvc.lock", "params.yaml"
WORKSPACE = "workspace"


@dataclass(frozen=True)
class Model:
    """One run of the pipeline and what it predicted of test.

    Attributes:
        name: as the user gave it, or WORKSPACE.
        commit: full hash; None for the workspace.
        params: every value of params.yaml by dotted key.
        inputs: md5 by path of what no stage makes: raw data, code, versions.
        test: file of the test examples, or None where neither cache nor remote has it.
        test_md5: its md5, or None where it cannot be had.
        train: file of the train examples, or None.
        made: hone.json of the model, empty where it cannot be had.
    """

    name: str
    commit: str | None
    params: dict[str, Any]
    inputs: dict[str, str]
    predictions: list[Prediction]
    test: Path | None
    test_md5: str | None
    train: Path | None
    made: dict[str, Any]

    @property
    def label(self) -> str:
        """The name, with the commit where the name is another."""
        if self.commit is None or self.commit.startswith(self.name):
            return self.commit[:7] if self.commit else self.name
        return f"{self.name} ({self.commit[:7]})"


@contextmanager
def sides(before: list[str], after: list[str]) -> Iterator[tuple[list[Model], list[Model]]]:
    """The models of both sides; an empty ``after`` is the workspace.

    Raises:
        UserError: an unknown revision, predictions that cannot be had (and how to get them), models of one side that
            are not seeds of one system, or different test data.
    """
    with objects() as store:
        old = [_of_revision(name, store) for name in before]
        new = [_of_revision(name, store) for name in after] if after else [_of_workspace()]
        for side in (old, new):
            _refuse_mixture(side)
        _refuse_other_test(old + new)
        yield old, new


def _of_workspace() -> Model:
    path = Path(PREDICTIONS)
    if not path.is_file():
        raise UserError(
            f"{path}: the workspace has no predictions; 'hone run' makes them, 'dvc checkout' brings the last"
        )
    test, train = Path(PREPARED, TEST), Path(PREPARED, TRAIN)
    return Model(
        name=WORKSPACE,
        commit=None,
        params=_flat_params(read_yaml(Path(PARAMS))),
        inputs=_inputs(read_yaml(Path(LOCK)) if Path(LOCK).is_file() else {}),
        predictions=list(read_predictions(path)),
        test=test if test.is_file() else None,
        test_md5=hashlib.md5(test.read_bytes()).hexdigest() if test.is_file() else None,
        train=train if train.is_file() else None,
        made=_card(Path(MODEL, CARD)),
    )


def _of_revision(name: str, store: Objects) -> Model:
    commit = revisions.commit(name)
    lock, params = (_yaml(commit, name, path) for path in (LOCK, PARAMS))
    stages = (lock.get("stages") or {}).values()
    outs = {out["path"]: out["md5"] for stage in stages for out in stage.get("outs") or [] if "md5" in out}
    if PREDICTIONS not in outs:
        raise UserError(f"{name}: its dvc.lock has no {PREDICTIONS}; {_again(commit)}")
    path = store.find(outs[PREDICTIONS])
    if path is None:
        raise UserError(f"{name}: {PREDICTIONS} (md5 {outs[PREDICTIONS]}) {_lost(store)}, or {_again(commit)}")
    folder = outs.get(PREPARED)
    test, train = (store.find_in(folder, file) if folder else None for file in (TEST, TRAIN))
    return Model(
        name=name,
        commit=commit,
        params=_flat_params(params),
        inputs=_inputs(lock),
        predictions=list(read_predictions(path)),
        test=test,
        test_md5=hashlib.md5(test.read_bytes()).hexdigest() if test else None,
        train=train,
        made=_card(store.find_in(outs[MODEL], CARD) if MODEL in outs else None),
    )


def _card(path: Path | None) -> dict[str, Any]:
    return json.loads(path.read_bytes()) if path is not None and path.is_file() else {}


def _lost(store: Objects) -> str:
    """Where it was looked for in vain, and who can help."""
    if store.has_remote:
        return "is neither in DVC's cache nor in its remote; 'dvc push' where that revision was run"
    return "is not in DVC's cache, and there is no remote; 'dvc remote add -d NAME URL' and 'dvc push' where it was run"


def _again(commit: str) -> str:
    """How to make the results of a commit once more, beside the workspace, into the same cache."""
    place, cache = f"../hone-{commit[:7]}", Path(".dvc/cache").resolve()
    steps = (f"git worktree add {place} {commit[:7]}", f"cd {place}", f"dvc cache dir --local {cache}", "dvc repro")
    return f"make it again: {' && '.join(steps)}"


def _yaml(commit: str, name: str, path: str) -> dict[str, Any]:
    content = revisions.file(commit, path)
    if content is None:
        raise UserError(f"{name}: has no {path}; commit what 'hone run' writes, or name another revision")
    return read_yaml_text(content.decode("utf-8"), f"{name}:{path}")


def _flat_params(values: dict[str, Any]) -> dict[str, Any]:
    return {leaf: end for key, value in values.items() for leaf, end in flat(value, key).items()}


def _inputs(lock: dict[str, Any]) -> dict[str, str]:
    stages = (lock.get("stages") or {}).values()
    made = {out["path"] for stage in stages for out in stage.get("outs") or []}
    deps = {dep["path"]: dep["md5"] for stage in stages for dep in stage.get("deps") or [] if "md5" in dep}
    return {path: deps[path] for path in sorted(deps) if path not in made}


def _refuse_mixture(side: list[Model]) -> None:
    """One side holds seeds of one system: nothing but the seed may differ."""
    first = side[0]
    for other in side[1:]:
        keys = [*differing(first.params, other.params), *differing(first.inputs, other.inputs)]
        if wrong := [key for key in keys if key != "seed"]:
            more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
            raise UserError(
                f"{first.label} and {other.label} are no seeds of one system: {', '.join(wrong[:3])}{more} differ; "
                "put them on different sides"
            )


def differing(left: dict[str, Any], right: dict[str, Any]) -> list[str]:
    """Keys whose values differ or that one side lacks, in order."""
    absent = object()
    return [key for key in dict.fromkeys([*left, *right]) if left.get(key, absent) != right.get(key, absent)]


def _refuse_other_test(models: list[Model]) -> None:
    """Figures on different test data say nothing about models."""
    first = models[0]
    for other in models[1:]:
        ours = {one.id: json.dumps(one.gold) for one in first.predictions}
        theirs = {one.id: json.dumps(one.gold) for one in other.predictions}
        moved = len(ours.keys() ^ theirs.keys())
        relabelled = sum(ours[name] != theirs[name] for name in ours.keys() & theirs.keys())
        texts = None not in (first.test_md5, other.test_md5) and first.test_md5 != other.test_md5
        order = [one.id for one in first.predictions] != [one.id for one in other.predictions]
        if moved or relabelled or texts or order:
            what = [f"{moved} examples in one of them alone"] if moved else []
            what += [f"{relabelled} with another gold"] if relabelled else []
            raise UserError(
                f"{first.label} and {other.label} were tested on different data "
                f"({', '.join(what) or 'other texts or another order'}), so their figures cannot be compared; run the "
                "older code or params on the newer test data, then compare that"
            )
