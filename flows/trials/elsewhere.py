"""Workers that do not see the project's folder: the snapshot comes and the experiment goes through a Git remote.

Such a worker needs a clone of the repository (the folder in which it was started, or HONE_REPOSITORY) with the same
names of remotes. Data and results go through the DVC remote of that clone.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from flows.trials.experiment import name_it, ref
from flows.trials.git import GitFailed, git
from flows.trials.job import Answer, Job
from flows.trials.place import TRIALS
from tasks.errors import UserError

REPOSITORY = "HONE_REPOSITORY"


@contextmanager
def project_of(job: Job) -> Iterator[tuple[Path, bool]]:
    """The project's folder on this machine, and whether it is the very one that asks.

    Raises:
        UserError: it is not, and there is no Git remote or no clone to get the snapshot into.
    """
    asking = Path(job.root)
    if (asking / TRIALS / job.fan_out).is_file():
        yield asking, True
        return
    host = socket.gethostname()
    if not job.git_remote:
        raise UserError(f"worker {host} does not see {asking}; --git-remote NAME hands trials over through Git")
    place = Path(os.environ.get(REPOSITORY) or Path.cwd())
    try:
        root = Path(git("rev-parse", "--show-toplevel", cwd=place))
        git("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", job.git_remote, f"+{job.ref}:{job.ref}", cwd=root)
    except (GitFailed, OSError) as error:
        raise UserError(
            f"worker {host}: {place} cannot get the snapshot ({error}); start workers in a clone of the repository "
            f"whose remote is named {job.git_remote!r}, or name the clone in {REPOSITORY}"
        ) from None
    try:
        yield root, False
    finally:
        with suppress(GitFailed):
            git("update-ref", "-d", job.ref, cwd=root)


def give(job: Job, root: Path, answer: Answer) -> None:
    """Push a worker's experiment to the Git remote; its outs have gone to the DVC remote before.

    Raises:
        UserError: the remote refuses.
    """
    for number in range(1, 100):
        name = answer.name if number == 1 else f"{answer.name}-{number}"
        there = git("ls-remote", job.git_remote, ref(job.base, name), cwd=root).partition("\t")[0]
        if there in ("", answer.rev):
            git("push", "--quiet", job.git_remote, f"{answer.rev}:{ref(job.base, name)}", cwd=root)
            answer.name = name
            return
    raise UserError(f"{answer.name}: the Git remote {job.git_remote} has 100 trials of that name; take another")


def receive(job: Job, answer: Answer) -> None:
    """Fetch an experiment that a worker pushed, into the current project."""
    theirs = ref(job.base, answer.name)
    git("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", job.git_remote, theirs)
    answer.name = name_it(Path(), job.base, answer.name, answer.rev)


@contextmanager
def handed_over(git_remote: str, commit: str, name: str) -> Iterator[None]:
    """The snapshot's commit stands in the Git remote under the ref ``name`` inside this block.

    Raises:
        UserError: the remote refuses.
    """
    try:
        git("push", "--quiet", git_remote, f"+{commit}:{name}")
    except GitFailed as error:
        raise UserError(f"--git-remote {git_remote}: {error}; 'git remote -v' lists yours") from None
    try:
        yield
    finally:
        with suppress(GitFailed):
            git("push", "--quiet", git_remote, f":{name}")
