"""What a scheduled run has of DVC's remote: which it is, and the results of the commit that it runs in its worktree."""

import subprocess

from flows import remote
from flows.dvc import DVC
from flows.objects import objects
from flows.remote import Say
from tasks.errors import UserError


def name() -> str | None:
    """The default remote, or the only one; None without one."""
    with objects() as store:
        return store.remote


def pull(say: Say) -> None:
    """Bring raw data, results and remembered runs, where there is a remote, and what dvc.lock names into the worktree.

    Raises:
        UserError: the remote does not answer; raw data that it lacks is reported by the stage that reads it.
    """
    if name():
        remote.pull_all(say)
    command = [*DVC, "--wait-for-lock", "checkout", "--quiet", "--force", "--allow-missing"]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        said = " ".join(line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip())
        why = said[said.rfind("ERROR:") :].removeprefix("ERROR:").strip() or f"exit code {done.returncode}"
        raise UserError(f"dvc checkout: {why}")
