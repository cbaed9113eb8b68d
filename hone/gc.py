"""`hone gc`: the models of trials that are not among the best."""

import json
import sys
from pathlib import Path

from flows.alone import alone
from flows.trials.disk import cache_folder, own, plan, remove
from flows.trials.place import inactive
from hone.terminal import paint, size
from hone.trial_view import say
from tasks.yaml_files import read_yaml

PARAMS = Path("params.yaml")
SHOWN = 20


def gc(dry_run: bool, metric: str, as_json: bool) -> int:
    """Remove the models that ``keep_models`` of params.yaml does not keep, or show which; 0 when done.

    Raises:
        UserError: trials are at work, or the cache is shared with other projects.
    """
    keep = int(read_yaml(PARAMS)["keep_models"])
    with inactive(), alone(say):
        found = plan(keep, metric, own(cache_folder()))
        total = sum(found.objects.values())
        if not dry_run:
            remove(found)
    if as_json:
        told = {
            "bytes": total,
            "dry_run": dry_run,
            "dropped": [{"bytes": own_bytes, "name": one.trial.name} for one, own_bytes in found.dropped],
            "kept": [one.trial.name for one in found.kept],
        }
        say(json.dumps(told, indent=2, sort_keys=True))
        return 0
    for one in found.kept:
        figure = one.metrics.get("validation", {}).get(metric, float("nan"))
        say(f"{paint('keep', 'green', sys.stdout)}  {figure:.4f}  {one.trial.name}")
    for one, own_bytes in found.dropped[:SHOWN]:
        figure = one.metrics.get("validation", {}).get(metric, float("nan"))
        say(f"{paint('drop', 'yellow', sys.stdout)}  {figure:.4f}  {one.trial.name}  {size(own_bytes)}")
    if len(found.dropped) > SHOWN:
        say(f"and {len(found.dropped) - SHOWN} more")
    verb = "can go" if dry_run else "freed"
    say(f"{size(total)} {verb}; metrics and predictions stay, and 'hone adopt' and 'hone run' make a model again")
    return 0
