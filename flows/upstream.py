"""The Git side of a scheduled run: what there is to run, what is live, and the branch that gets the result."""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from flows.trials.git import GitFailed, git
from tasks.errors import UserError
from tasks.params import Schedule

SEEN = "refs/hone/scheduled"  # .../<branch>: the last commit whose run ended with a verdict, in this clone alone
ALONE = {  # nobody is there to answer a question
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_SSH_COMMAND": os.environ.get("GIT_SSH_COMMAND", "ssh -o BatchMode=yes"),
}


@dataclass(frozen=True)
class Upstream:
    """The branches of a scheduled run as they were when it began.

    Attributes:
        tip: full hash of the commit to run.
        live: full hash of the commit that made the live model: the last one in the history of ``schedule.live`` that
            changed dvc.lock. Later ones may have other params that nobody has run.
        published: full hash of the last published commit; empty before the first.
    """

    settings: Schedule
    tip: str
    live: str
    published: str

    @property
    def seen(self) -> str:
        """The ref that remembers the last commit with a verdict."""
        return f"{SEEN}/{self.settings.branch}"


def look(settings: Schedule) -> Upstream:
    """Fetch, and find the branches; the checkout of this clone stays as it is.

    Raises:
        UserError: a name that is not there, a remote that does not answer, or a branch that cannot be published to.
    """
    if settings.branch in (settings.source, settings.live):
        raise UserError(
            f"params.yaml: schedule.branch: {settings.branch} is the branch that is run or live; name one of its own, "
            "as hone/nightly"
        )
    if settings.pull_request and (shutil.which("gh") is None or not settings.remote):
        raise UserError("params.yaml: schedule.pull_request: true needs schedule.remote and the program gh")
    heads = "refs/heads"
    if settings.remote:
        if settings.remote not in git("remote").split():
            raise UserError(
                f"params.yaml: schedule.remote: {settings.remote} is no remote of this clone; 'git remote add' makes "
                'one, "" works with the branches of this clone alone'
            )
        git("fetch", "--quiet", "--prune", settings.remote, also=ALONE)
        heads = f"refs/remotes/{settings.remote}"
        if not _commit(f"{heads}/{settings.live}"):  # a tag, which may have been moved there
            tag = f"refs/tags/{settings.live}"
            with suppress(GitFailed):
                git("fetch", "--quiet", settings.remote, f"+{tag}:{tag}", also=ALONE)
    elif f"branch {heads}/{settings.branch}" in git("worktree", "list", "--porcelain").splitlines():
        raise UserError(
            f"params.yaml: schedule.branch: {settings.branch} is checked out; 'git switch {settings.source}'"
        )
    tip = _commit(f"{heads}/{settings.source}")
    if not tip:
        raise UserError(f"params.yaml: schedule.source: there is no branch {settings.source} {_where(settings)}")
    live = next((name for name in (f"{heads}/{settings.live}", settings.live) if _commit(name)), "")
    if not live:
        raise UserError(f"params.yaml: schedule.live: there is no branch or tag {settings.live} {_where(settings)}")
    model = git("rev-list", "--max-count=1", live, "--", "dvc.lock")
    if not model:
        raise UserError(
            f"params.yaml: schedule.live: {settings.live} holds no dvc.lock, so no model is live; 'hone run', commit "
            "what it writes there, 'dvc push' and 'git push'"
        )
    return Upstream(settings, tip, model, _commit(f"{heads}/{settings.branch}"))


def new_data(upstream: Upstream) -> bool:
    """Whether data/raw (files in Git, and the .dvc files of others) differs from the last run with a verdict.

    Before the first, from what is live.
    """
    before = _commit(upstream.seen) or upstream.live
    return _object(f"{upstream.tip}:./data/raw") != _object(f"{before}:./data/raw")


def remember(upstream: Upstream) -> None:
    """The commit has its verdict: a run for new data need not look at it again."""
    git("update-ref", upstream.seen, upstream.tip)


def tree_of(worktree: Path, paths: list[str]) -> str:
    """The tree of a worktree's HEAD with the present contents of ``paths``."""
    git("add", "--force", "--", *paths, cwd=worktree)
    return git("write-tree", cwd=worktree)


def is_known(upstream: Upstream, tree: str) -> bool:
    """Whether the commit to run or the published one holds these very results already."""
    commits = [name for name in (upstream.tip, upstream.published) if name]
    return any(git("rev-parse", f"{name}^{{tree}}") == tree for name in commits)


def publish(upstream: Upstream, tree: str, message: str) -> str:
    """Commit ``tree`` on top of the branch and of the source, and push it; the full hash.

    The branch only ever moves forward. When somebody else moved it meanwhile the push is refused and nothing changed.

    Raises:
        GitFailed: the push was refused, or there is no author.
    """
    settings, tip, last = upstream.settings, upstream.tip, upstream.published
    ends = [one for one in (last, tip) if one]
    parents = [one for one in ends if not any(other != one and _within(one, other) for other in ends)]
    commit = git("commit-tree", tree, *(word for one in parents for word in ("-p", one)), stdin=message)
    target = f"refs/heads/{settings.branch}"
    if settings.remote:
        git("push", "--quiet", "--no-verify", settings.remote, f"{commit}:{target}", also=ALONE)
    else:
        git("update-ref", target, commit, last or "0" * len(commit))
    return commit


def _where(settings: Schedule) -> str:
    return f"at the remote {settings.remote}" if settings.remote else "in this clone"


def _within(earlier: str, later: str) -> bool:
    """Whether the history of ``later`` holds ``earlier``."""
    return not git("rev-list", "--max-count=1", earlier, f"^{later}")


def _commit(name: str) -> str:
    return _object(f"{name}^{{commit}}")


def _object(name: str) -> str:
    try:
        return git("rev-parse", "--verify", "--quiet", "--end-of-options", name)
    except GitFailed:
        return ""
