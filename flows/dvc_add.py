"""Put a file or folder under DVC, as a process."""

import subprocess
from pathlib import Path

from flows.dvc import DVC
from tasks.errors import UserError


def add(path: Path) -> Path:
    """``dvc add`` for ``path`` below the current folder; waits for other DVC processes; returns its .dvc file.

    Raises:
        UserError: DVC refused; the message is its own.
    """
    if not Path(".dvc/config").is_file():
        raise UserError(".dvc/config: no such file, so DVC cannot keep data here; 'make setup' or 'dvc init' makes it")
    done = subprocess.run(
        [*DVC, "--wait-for-lock", "add", str(path)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        said = " ".join((done.stderr or done.stdout).split())
        said = said[said.rfind("ERROR:") :].removeprefix("ERROR:").strip() if "ERROR:" in said else said
        raise UserError(f"{path}: dvc add failed: {said or f'exit code {done.returncode}'}; 'hone doctor' checks DVC")
    return path.with_name(path.name + ".dvc")
