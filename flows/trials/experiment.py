"""A trial as a DVC experiment: a commit beside the branches, written with Git's plumbing in one atomic step.

The facts that only hone knows stand as one line of JSON in the commit's message, so that they are pushed, pulled and
renamed with the experiment.
"""

import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from flows.trials.git import GitFailed, git
from flows.trials.trial import Trial
from tasks.errors import UserError

TRAILER = "Hone-Trial"
NOTHING = "0" * 40
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?![.]))*")


def check_name(name: str) -> None:
    """Refuse what Git or DVC would not take as the name of an experiment."""
    if not NAME.fullmatch(name) or name.endswith((".", ".lock")) or len(name) > 120:
        raise UserError(f"{name!r} cannot name a trial; take letters, digits, '-', '_' and single '.', 120 at most")


def ref(base: str, name: str) -> str:
    """Where DVC looks for the experiment ``name`` on the commit ``base``."""
    return f"refs/exps/{base[:2]}/{base[2:]}/{name}"


def record(
    worktree: Path, base: str, trial: Trial, facts: dict[str, Any], files: list[str], author: tuple[str, str]
) -> tuple[str, str]:
    """Make a commit of the worktree on ``base`` and name it as an experiment; the commit and the name it got.

    Args:
        facts: with ``key``, ``metrics`` (path by split) and ``cost``.
        files: what to take although Git may ignore it.
    """
    from flows.trials.snapshot import identity

    git("add", "--update", cwd=worktree)
    present = [file for file in files if (worktree / file).exists()]
    git("add", "--force", "--", *present, cwd=worktree)
    commit = git(
        *("commit-tree", git("write-tree", cwd=worktree), "-p", base),
        cwd=worktree,
        stdin=message(trial, facts),
        also=identity(author),
    )
    return commit, name_it(worktree, base, trial.name, commit)


def name_it(repo: Path, base: str, wanted: str, commit: str) -> str:
    """Name ``commit`` as an experiment on ``base``; where another has the name, with a number behind it."""
    for number in range(1, 10_000):
        name = wanted if number == 1 else f"{wanted}-{number}"
        taken = git("for-each-ref", "--format=%(objectname)", f"refs/exps/*/*/{name}", cwd=repo).split()
        if commit in taken:
            return name
        if taken:
            continue
        try:
            git("update-ref", ref(base, name), commit, NOTHING, cwd=repo)
        except GitFailed:  # somebody took the name this moment
            continue
        return name
    raise UserError(f"{wanted}: there are 10,000 trials of that name; take another or 'dvc exp remove' some")


def message(trial: Trial, facts: dict[str, Any]) -> str:
    """The message of an experiment's commit: what was tried, why, and the facts."""
    said = ", ".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in trial.overrides.items())
    everything = {
        "kind": trial.kind,
        "group": trial.group,
        "reason": trial.reason,
        "expect": trial.expect,
        "overrides": dict(trial.overrides),
        **facts,
    }
    reason = " ".join(trial.reason.split())
    head = f"{trial.kind}: {reason or said or trial.name}"
    body = f"{said}\n\n" if said and reason else ""
    return f"{head}\n\n{body}{TRAILER}: {json.dumps(everything, sort_keys=True)}\n"


def read(raw: bytes) -> tuple[str, datetime, dict[str, Any]] | None:
    """Parent, time and facts of an experiment's commit as Git keeps it; None where it is not as we write ours.

    The form is Git's (git-cat-file, gitformat-signature): headers, an empty line, the message.
    """
    head, _, body = raw.partition(b"\n\n")
    headers = [line.partition(b" ")[::2] for line in head.split(b"\n")]
    parents = [value for name, value in headers if name == b"parent"]
    committed = re.search(rb" (\d+) ([-+]\d\d)(\d\d)$", dict(headers).get(b"committer", b""))
    lines = body.rstrip(b"\n").split(b"\n")
    mark = f"{TRAILER}: ".encode()
    if len(parents) != 1 or not committed or b"encoding" in dict(headers) or not lines[-1].startswith(mark):
        return None
    hours, minutes = int(committed[2]), int(committed[2][:1] + committed[3])
    zone = timezone(timedelta(hours=hours, minutes=minutes))
    facts = facts_of(lines[-1][len(mark) :].decode("utf-8", errors="replace"))
    moment = datetime.fromtimestamp(int(committed[1]), zone)
    return None if facts is None else (parents[0].decode(), moment, facts)


def facts_of(trailer: str) -> dict[str, Any] | None:
    """The facts in a trailer's value; None where there are none or they are broken."""
    try:
        facts = json.loads(trailer)
    except ValueError:
        return None
    return facts if isinstance(facts, dict) and {"kind", "group", "overrides", "key"} <= facts.keys() else None
