"""What DVC fetches for a worktree before a run, and what it sends away afterwards."""

import subprocess

from flows.dvc import DVC
from flows.objects import objects
from tasks.errors import UserError


def pull() -> str | None:
    """Bring raw data, the last results and remembered runs into the workspace; the remote's name, None without one.

    Raises:
        UserError: the remote does not answer; raw data that it lacks is reported by the stage that reads it.
    """
    remote = _remote()
    if remote:
        _call("pull", "--quiet", "--force", "--allow-missing", "--run-cache", "--remote", remote)
    else:
        _call("checkout", "--quiet", "--force", "--allow-missing")
    return remote


def push() -> str | None:
    """Send the workspace's results and remembered runs; the remote's name, None without one.

    Raises:
        UserError: the remote did not take them.
    """
    remote = _remote()
    if remote:
        _call("push", "--quiet", "--run-cache", "--remote", remote)
    return remote


def _remote() -> str | None:
    with objects() as store:
        return store.remote


def _call(*arguments: str) -> None:
    command = [*DVC, "--wait-for-lock", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        said = " ".join(line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip())
        why = said[said.rfind("ERROR:") :].removeprefix("ERROR:").strip() or f"exit code {done.returncode}"
        raise UserError(f"dvc {arguments[0]}: {why}")
