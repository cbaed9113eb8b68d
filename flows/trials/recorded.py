"""Which trials Git remembers: every DVC experiment, read in a few processes however many there are."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from flows.dag import PARAMS, PIPELINE
from flows.trials.experiment import TRAILER, facts_of, read
from flows.trials.git import blobs, git
from flows.trials.known import parsed, paths
from flows.trials.trial import Recorded, Trial

FIELDS = ("refname", "objectname", "parent", "committerdate:iso-strict", f"trailers:key={TRAILER},valueonly,unfold")
SEPARATOR = "\x1f"
EVERY = "refs/exps/*/*/*"


def list_trials(repo: Path = Path(), *, only: Callable[[str], bool] | None = None) -> list[Recorded]:
    """Every DVC experiment of the repository with its facts, params and metrics, oldest first; Git alone is asked.

    Args:
        only: whether a trial with this key is wanted; what is not costs nothing more.
    """
    form = SEPARATOR.join(f"%({field})" for field in FIELDS)
    listing = git("for-each-ref", "--sort=committerdate", f"--format={form}%00", EVERY, cwd=repo)
    rows = []
    for line in listing.split("\0"):
        if SEPARATOR not in line:
            continue
        name, rev, base, time, trailer = line.lstrip("\n").split(SEPARATOR)
        facts = facts_of(trailer.strip())
        if len(base) == 40 and (only is None or (facts is not None and only(facts["key"]))):
            rows.append((name.rpartition("/")[2], rev, base, datetime.fromisoformat(time), facts))
    known = _metrics_paths(repo) if any(facts is None for *_, facts in rows) else {}
    wanted = [(row, split, path) for row in rows for split, path in _metrics_of(row[4], known).items()]
    contents = blobs([f"{row[1]}:{path}" for row, _, path in wanted], cwd=repo)
    metrics: dict[str, dict[str, Any]] = {}
    for (row, split, _), content in zip(wanted, contents, strict=True):
        if content is not None:
            metrics.setdefault(row[1], {})[split] = _json(content)
    return [_recorded(repo.absolute(), row, metrics.get(row[1], {})) for row in rows]


def one_recorded(repo: Path, ref: str, rev: str, get: Callable[[str], bytes | None]) -> Recorded | None:
    """The experiment ``ref`` at the commit ``rev``, read with ``get``; None where it is not one of ours."""
    commit = get(rev)
    found = read(commit) if commit is not None else None
    if found is None:
        return None
    base, time, facts = found
    contents = {split: get(f"{rev}:{path}") for split, path in _metrics_of(facts, {}).items()}
    metrics = {split: _json(content) for split, content in contents.items() if content is not None}
    return _recorded(repo.absolute(), (ref.rpartition("/")[2], rev, base, time, facts), metrics)


def keys(repo: Path = Path()) -> dict[str, str]:
    """The key of every experiment's commit; empty for what is not hone's."""
    trailer = f"%(trailers:key={TRAILER},valueonly,unfold)"
    found = {}
    for line in git("for-each-ref", f"--format=%(objectname){SEPARATOR}{trailer}%00", EVERY, cwd=repo).split("\0"):
        rev, separator, said = line.lstrip("\n").partition(SEPARATOR)
        if separator:
            found[rev] = (facts_of(said.strip()) or {"key": ""})["key"]
    return found


def _recorded(repo: Path, row: tuple[str, str, str, datetime, dict[str, Any] | None], metrics: Any) -> Recorded:
    name, rev, base, time, facts = row
    said = facts or {}
    trial = Trial(
        name=name,
        overrides=said.get("overrides", {}),
        kind=said.get("kind", "try"),
        group=said.get("group", ""),
        reason=said.get("reason", ""),
        expect=said.get("expect"),
    )
    return Recorded(
        trial=trial,
        ours=facts is not None,
        rev=rev,
        base=base,
        time=time,
        key=said.get("key", ""),
        metrics=metrics,
        cost=said.get("cost", {}),
        repo=repo,
    )


@lru_cache(maxsize=4096)
def params_at(repo: Path, rev: str) -> dict[str, Any]:
    """params.yaml of a commit."""
    (content,) = blobs([f"{rev}:{PARAMS}"], cwd=repo)
    return parsed(content, f"{rev[:9]}:{PARAMS}") if content is not None else {}


def worked(cost: Mapping[str, Any]) -> float | None:
    """Seconds of a trial of which a stage ran; None for others: what came out of a cache says nothing of the next."""
    stages, seconds = cost.get("stages"), cost.get("seconds")
    if not isinstance(stages, dict) or not isinstance(seconds, int | float):
        return None
    return float(seconds) if any(stage.get("verdict") == "ran" for stage in stages.values()) else None


def split_of(path: str) -> str:
    """``data/metrics.test.json`` is the split ``test``."""
    stem = Path(path).stem
    return stem.removeprefix("metrics.") or stem


def _metrics_of(facts: dict[str, Any] | None, known: dict[str, str]) -> dict[str, str]:
    return known if facts is None else dict(facts.get("metrics") or {})


def _metrics_paths(repo: Path) -> dict[str, str]:
    pipeline = repo / PIPELINE
    blocks = parsed(pipeline.read_bytes(), str(pipeline)).get("stages") or {} if pipeline.exists() else {}
    found = [path for block in blocks.values() for path in paths(block, ("metrics",))]
    return {split_of(path): path for path in found}


def _json(content: bytes) -> dict[str, Any]:
    try:
        values = json.loads(content)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}
