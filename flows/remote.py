"""Results shared through DVC's remote: brought before a stage would run, pushed whole; what became of it is said.

The work is done by flows/exchange.py in a process of its own, since DVC takes long to load.
"""

import json
import subprocess
import sys
from collections.abc import Callable

from flows.exchange import Moved
from tasks.errors import UserError

PROGRAM = [sys.executable, "-P", "-m", "flows.exchange"]
SHOWN = 4  # differences that a message lists

Say = Callable[[str], None]


def pull_all(say: Say) -> None:
    """Bring the run-cache and all that dvc.lock and .dvc files name; what is missing of it is put into the workspace.

    What the remote lacks is no error: the run makes it.

    Raises:
        UserError: no remote, or it does not answer.
    """
    moved = _call("pull")
    say(f"remote: {_amount(moved)} brought")
    _warn(moved, say)


def pull_stage(stage: str, say: Say) -> None:
    """Bring the results that the run-cache knows for ``stage`` as it stands now, if it does. Raises as `pull_all`.

    Where it knows none, say by what the result that dvc.lock names differs from what is here.
    """
    moved = _call("stage", stage)
    if moved.objects:
        say(f"{stage}: {_amount(moved)} brought from the remote")
    if moved.differs:
        more = f" and {len(moved.differs) - SHOWN} more" if len(moved.differs) > SHOWN else ""
        what = ", ".join(moved.differs[:SHOWN])
        say(f"{stage}: nobody has run it like this; the result in dvc.lock was made with other {what}{more}")
    _warn(moved, say)


def push(everything: bool) -> Moved:
    """Send the workspace's results, or those of all runs of this machine, then the run-cache.

    Objects of the remote whose size is not that of ours are replaced and listed as damaged.

    Raises:
        UserError: no remote, or it does not answer.
    """
    return _call("push", *(["all"] if everything else []))


def _warn(moved: Moved, say: Say) -> None:
    if moved.damaged:
        say(
            f"remote: {len(moved.damaged)} objects are damaged, as a cut upload leaves them ({moved.damaged[0][:7]}); "
            "they are not used. 'hone push' where they are whole replaces them"
        )
    if moved.entries:
        say(f"remote: {moved.entries} cut entries of the run-cache are not used; 'hone push' replaces them")


def _amount(moved: Moved) -> str:
    return f"{moved.objects} files, {moved.bytes / 1e6:.1f} MB"


def _call(*arguments: str) -> Moved:
    done = subprocess.run(
        [*PROGRAM, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )
    last = next((line for line in reversed(done.stdout.splitlines()) if line.startswith("{")), "")
    if done.returncode != 0 or not last:
        lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        said = lines[-1].removeprefix("ERROR: ") if lines else ""
        raise UserError(
            f"the remote: {said or f'exit code {done.returncode}'}; 'dvc remote list' shows it, 'dvc push -v' says more"
        )
    return Moved(**json.loads(last))
