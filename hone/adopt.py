"""`hone adopt`: a trial's params and results into the workspace, ready to commit."""

import sys

from flows.alone import alone
from flows.dag import stages
from flows.trials.adopt import adopt as take_over
from flows.trials.adopt import find
from hone.terminal import paint
from hone.trial_view import say


def adopt(name: str) -> int:
    """Adopt the trial ``name`` and say what changed; 0 when done.

    Raises:
        UserError: no such trial, other code or data than here, or outs that would be lost.
    """
    found = find(name)
    with alone(say):
        adopted = take_over(found)
    for key, (old, new) in adopted.params.items():
        say(f"{key}  {old} -> {paint(str(new), 'bold', sys.stdout)}")
    if not adopted.params:
        say("params.yaml has the params of this trial already")
    if adopted.lost:
        say(paint(f"not kept: {', '.join(adopted.lost)}; 'hone run' makes them again, the same", "yellow", sys.stdout))
    else:
        say("outs are back from the cache; nothing to run")
    files = ["params.yaml", "dvc.lock", *(path for stage in stages() for path in stage.uncached)]
    say(f"{paint('try next', 'bold', sys.stdout)}  git add {' '.join(files)}")
    say(f"          git commit -m 'Adopt {found.trial.name}'")
    return 0
