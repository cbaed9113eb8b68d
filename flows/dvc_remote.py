"""What a scheduled run asks of DVC beside the exchange with its remote: which that is, and what the cache has."""

import subprocess

from flows.dvc import DVC
from flows.objects import objects
from tasks.errors import UserError


def name() -> str | None:
    """The default remote, or the only one; None without one."""
    with objects() as store:
        return store.remote


def checkout() -> None:
    """Put into the workspace what the cache has of dvc.lock and of the ``.dvc`` files.

    Raises:
        UserError: DVC refuses; raw data that the cache lacks is reported by the stage that reads it.
    """
    command = [*DVC, "--wait-for-lock", "checkout", "--quiet", "--force", "--allow-missing"]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        said = " ".join(line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip())
        why = said[said.rfind("ERROR:") :].removeprefix("ERROR:").strip() or f"exit code {done.returncode}"
        raise UserError(f"dvc checkout: {why}")
