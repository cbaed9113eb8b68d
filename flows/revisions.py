"""Revisions of Git by the names that people give them: commits, branches, tags, and trials kept as DVC experiments."""

import subprocess
from pathlib import Path

from tasks.errors import UserError

MAIN = ("refs/remotes/origin/HEAD", "origin/main", "origin/master", "main", "master")


def commit(name: str) -> str:
    """The full hash of the commit that ``name`` means: what Git knows, else the trial of that name.

    Raises:
        UserError: unknown, or the name of trials on several commits.
    """
    found = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").strip()
    if found:
        return found
    trials = [
        line.split() for line in _git("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps").splitlines()
    ]
    hits = {object_ for object_, ref in trials if ref.count("/") == 4 and ref.rsplit("/", 1)[1] == name}
    if len(hits) > 1:
        raise UserError(f"{name!r} is a trial on {len(hits)} commits; name it by its hash: {', '.join(sorted(hits))}")
    if not hits:
        raise UserError(f"{name!r} is no revision and no trial; 'git branch -a' and 'dvc exp list -A' list them")
    return hits.pop()


def merge_base() -> str:
    """The commit at which HEAD left the main branch; HEAD itself on the main branch.

    Raises:
        UserError: no main branch, or nothing in common with it.
    """
    for name in MAIN:
        if _git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"):
            base = _git("merge-base", name, "HEAD").strip()
            if base:
                return base
            raise UserError(
                f"HEAD and {name} have no commit in common here; 'git fetch --unshallow', or name a revision"
            )
    raise UserError("there is no main branch to compare with; name a revision: hone diff REV")


def file(revision: str, path: str) -> bytes | None:
    """The bytes of ``path`` (relative to the current folder) at a revision, or None if it is not there."""
    return _blob(f"{revision}:./{path}")


def unmerged() -> list[str]:
    """Paths with merge conflicts, relative to the current folder."""
    found = _git("diff", "--name-only", "--diff-filter=U", "--relative", "-z")
    return [path for path in found.split("\0") if path]


def side(path: str, ours: bool) -> bytes | None:
    """What one side of a merge, rebase or cherry-pick has of ``path``: HEAD's or the other's; None if it has none."""
    conflicted = _blob(f":{2 if ours else 3}:./{path}")
    if conflicted is not None or ours:
        return conflicted if conflicted is not None else file("HEAD", path)
    heads = (file(name, path) for name in ("MERGE_HEAD", "REBASE_HEAD", "CHERRY_PICK_HEAD"))
    return next((content for content in heads if content is not None), None)


def add(paths: list[Path]) -> None:
    """Put files into Git's index, which marks their conflicts as solved."""
    done = subprocess.run(["git", "add", "--all", "--", *map(str, paths)], capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"git add {' '.join(map(str, paths))}: {done.stderr.strip()}")


def _blob(name: str) -> bytes | None:
    done = subprocess.run(["git", "cat-file", "blob", name], capture_output=True)
    return done.stdout if done.returncode == 0 else None


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True).stdout
