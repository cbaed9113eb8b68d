"""The pipeline without Prefect: the same stages in the same order through the same DVC."""

import time

from flows import remote
from flows.alone import alone
from flows.dag import Stage, select, stages
from flows.dvc import DELAYS, Busy, Verdict, reproduce
from flows.watcher import WATCHER


def run_local(names: list[str], *, force: bool, pull: bool = False) -> None:
    """Bring the named stages and all before them up to date; ``force`` runs the named ones (or all) in any case.

    ``pull`` takes from DVC's remote what somebody has run already.

    Raises:
        UserError: a stage failed, or a name that dvc.yaml does not have.
        Busy: another process holds DVC's locks.
    """
    watcher = WATCHER.get()
    with alone(watcher.note):
        if pull:
            remote.pull_all(watcher.note)
        for stage in select(stages(), names):
            started = time.monotonic()
            watcher.started(stage)
            if pull:
                remote.pull_stage(stage.name, watcher.note)
            verdict = _patiently(stage, force and (not names or stage.name in names))
            watcher.ended(stage, verdict, time.monotonic() - started)


def _patiently(stage: Stage, force: bool) -> Verdict:
    watcher = WATCHER.get()
    for delay in DELAYS:
        try:
            return reproduce(stage, watcher.line, force=force)
        except Busy as busy:
            watcher.note(f"DVC is busy ({busy}); another try in {delay} s")
            time.sleep(delay)
    return reproduce(stage, watcher.line, force=force)
