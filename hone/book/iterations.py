"""Iterations out of Git: the commits that changed results, and the trials. Nothing is kept anywhere else.

A thousand commits are read in three processes of Git. What is slow to parse (params.yaml) is remembered by the hash of
the content in a file that can be deleted at any time.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flows.lock_text import Locked, locked
from flows.trials import Recorded, list_trials
from flows.trials.git import blobs, git
from flows.trials.known import parsed
from flows.trials.overrides import leaves
from tasks.errors import UserError

LOCK, PARAMS = "dvc.lock", "params.yaml"
METRICS = {"validation": "data/metrics.validation.json", "test": "data/metrics.test.json"}
PREDICTIONS = {split: f"data/predictions.{split}.jsonl" for split in METRICS}
RAW = "data/raw/"
REMEMBERED = Path(".dvc/tmp/hone/ledger/params.json")
SEPARATOR = "\x1f"


@dataclass(frozen=True)
class Iteration:
    """One state of the project with results.

    Attributes:
        rev: commit; of a trial that of its experiment.
        name: of a trial, empty for a commit.
        kind: ``commit``, or the kind of trial.
        time: seconds since 1970.
        hypothesis: a trial's reason, a commit's first line.
        expect: rise of the headline that was expected of a trial.
        base: of a trial the commit with the results that it was tried on.
        params: of params.yaml, by dotted key; empty where it cannot be read.
        data: hash by path of the raw data.
        code: hashes by path of all else that stages read and none makes.
        metrics: by split.
        predictions: content hash by split.
        seconds: of the stages that ran for it, None unless known.
        memory: the largest peak of a stage, MB.
    """

    rev: str
    name: str
    kind: str
    time: int
    hypothesis: str
    expect: float | None
    base: str
    params: Mapping[str, Any] = field(repr=False)
    data: Mapping[str, str]
    code: Mapping[str, str] = field(repr=False)
    metrics: Mapping[str, Mapping[str, Any]] = field(repr=False)
    predictions: Mapping[str, str]
    seconds: float | None
    memory: float | None

    @property
    def label(self) -> str:
        """What a person calls it."""
        return self.name or self.rev[:7]


@dataclass(frozen=True)
class _Entry:
    rev: str
    time: int
    subject: str
    trial: Recorded | None = None


def iterations(with_trials: bool = True) -> list[Iteration]:
    """All of them, oldest first: commits of HEAD's history that changed dvc.lock or metrics, and trials.

    Raises:
        UserError: no Git repository, or no commit.
    """
    commits = _commits()
    trials = [
        _Entry(one.rev, int(one.time.timestamp()), one.trial.reason, one)
        for one in (list_trials() if with_trials else [])
    ]
    entries = [*commits, *trials]
    stages = _cost_files()
    wanted = [LOCK, PARAMS, *METRICS.values(), *stages]
    ids = _ids([f"{one.rev}:{path}" for one in entries for path in wanted])
    rows = [dict(zip(wanted, ids[at : at + len(wanted)], strict=True)) for at in range(0, len(ids), len(wanted))]
    contents = _contents(rows)
    origins = _origins(commits, rows, [one.base for one in (entry.trial for entry in trials) if one is not None])
    params = _params({row[PARAMS]: contents[row[PARAMS]] for row in rows if row[PARAMS]})
    found, before = [], dict.fromkeys(wanted, "")
    for entry, row in zip(entries, rows, strict=True):
        found.append(_iteration(entry, row, before, contents, params, stages, origins))
        if entry.trial is None:
            before = row
    return sorted(found, key=lambda one: one.time)  # stable: commits of one second stay in order


def _commits() -> list[_Entry]:
    form = SEPARATOR.join(("%H", "%ct", "%s"))
    paths = [LOCK, *METRICS.values()]
    told = git("log", "--reverse", "--topo-order", f"--format={form}%x00", "HEAD", "--", *paths)
    lines = [line.strip("\n") for line in told.split("\0") if line.strip("\n")]
    rows = [line.split(SEPARATOR, 2) for line in lines]
    # A clock that went back must not bring commits out of order.
    entries, latest = [], 0
    for rev, time, subject in rows:
        latest = max(latest, int(time))
        entries.append(_Entry(rev, latest, subject))
    return entries


def _origins(commits: Sequence[_Entry], rows: Sequence[Mapping[str, str]], bases: Iterable[str]) -> dict[str, str]:
    """For each base the last commit that changed results, found by having the same ones."""
    paths = [LOCK, *METRICS.values()]
    states = {tuple(row[path] for path in paths): one.rev for one, row in zip(commits, rows, strict=False)}
    unlike = list(dict.fromkeys(bases))
    ids = _ids([f"{base}:{path}" for base in unlike for path in paths])
    theirs = [tuple(ids[at : at + len(paths)]) for at in range(0, len(ids), len(paths))]
    return {base: states[state] for base, state in zip(unlike, theirs, strict=True) if state in states}


def _cost_files() -> list[str]:
    """The cost files of the stages, as HEAD has them."""
    return [path for path in git("ls-tree", "--name-only", "HEAD", "data/cost/").splitlines() if path.endswith(".json")]


def _ids(names: Sequence[str]) -> list[str]:
    """Ids of blobs by ``<commit>:<path>``, empty for those that are not there."""
    if not names:
        return []
    told = git("cat-file", "--batch-check=%(objectname)", stdin="".join(f"{name}\n" for name in names))
    return ["" if line.endswith(("missing", "ambiguous")) else line for line in told.splitlines()]


def _contents(rows: Iterable[Mapping[str, str]]) -> dict[str, bytes]:
    """Each blob once."""
    ids = list(dict.fromkeys(id_ for row in rows for id_ in row.values() if id_))
    return {id_: content for id_, content in zip(ids, blobs(ids), strict=True) if content is not None}


def _iteration(
    entry: _Entry,
    row: Mapping[str, str],
    before: Mapping[str, str],
    contents: Mapping[str, bytes],
    params: Mapping[str, dict[str, Any]],
    stages: Sequence[str],
    origins: Mapping[str, str],
) -> Iteration:
    lock = _locked(contents.get(row[LOCK], b""), entry.rev)
    metrics = {split: _json(contents.get(row[path], b"")) for split, path in METRICS.items() if row[path]}
    costs = [_json(contents[row[path]]) for path in stages if row[path] and row[path] != before[path]]
    seconds, memory = _sum(costs), max((float(one.get("peak_memory_mb", 0)) for one in costs), default=None)
    iteration = Iteration(
        rev=entry.rev,
        name="",
        kind="commit",
        time=entry.time,
        hypothesis=entry.subject,
        expect=None,
        base="",
        params=params.get(row[PARAMS], {}),
        data={path: md5 for path, md5 in lock.inputs.items() if path.startswith(RAW)},
        code={path: md5 for path, md5 in lock.inputs.items() if not path.startswith(RAW)},
        metrics=metrics,
        predictions={split: lock.outs[path] for split, path in PREDICTIONS.items() if path in lock.outs},
        seconds=seconds,
        memory=memory,
    )
    if entry.trial is None:
        return iteration
    told = entry.trial
    own = told.cost.get("seconds")
    files = [cost for cost in (told.cost.get("files") or {}).values() if isinstance(cost, dict)]
    return replace(
        iteration,
        name=told.trial.name,
        kind=told.trial.kind,
        expect=told.trial.expect,
        base=origins.get(told.base, told.base),
        seconds=float(own) if isinstance(own, int | float) else None,
        memory=max((float(one.get("peak_memory_mb", 0)) for one in files), default=None),
    )


def _sum(costs: Sequence[Mapping[str, Any]]) -> float | None:
    seconds = [float(one["seconds"]) for one in costs if isinstance(one.get("seconds"), int | float)]
    return sum(seconds) if seconds else None


def _locked(content: bytes, rev: str) -> Locked:
    try:
        return locked(content, f"{rev[:9]}:{LOCK}")
    except UserError:  # one commit with a broken lock, long mended, hides no other
        return Locked()


def _json(content: bytes) -> dict[str, Any]:
    try:
        values = json.loads(content or b"{}")
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def _params(blobs_: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """The leaves of each params.yaml by its blob's id; those seen before come from REMEMBERED."""
    try:
        remembered = json.loads(REMEMBERED.read_bytes())
    except (OSError, ValueError):
        remembered = {}
    found = {id_: remembered[id_] for id_ in blobs_ if isinstance(remembered.get(id_), dict)}
    new = [id_ for id_ in blobs_ if id_ not in found]
    for id_ in new:
        try:
            found[id_] = leaves(parsed(blobs_[id_], PARAMS))
        except UserError:
            found[id_] = {}
    if new:
        REMEMBERED.parent.mkdir(parents=True, exist_ok=True)
        part = REMEMBERED.with_suffix(".part")
        part.write_text(json.dumps(remembered | found, default=str), encoding="utf-8")
        part.replace(REMEMBERED)
    return found
