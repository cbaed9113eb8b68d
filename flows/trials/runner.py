"""The process that runs one trial: a worktree, DVC in this very process stage by stage, the experiment's commit.

DVC is loaded once and called as its own command line calls it, because a process for each of five calls costs more than
a second each. Nothing else runs here, so that its current folder and its locks are those of a ``dvc`` process.
"""

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

from flows.dag import PARAMS, PIPELINE, Stage, stages
from flows.dvc import Heard, StageFailed, Verdict
from flows.trials.experiment import record
from flows.trials.guard import Guard, Stopped
from flows.trials.job import Answer, Job
from flows.trials.overrides import rewritten
from flows.trials.place import STAGES, trial_folder
from flows.trials.recorded import list_trials, split_of
from flows.trials.worktree import alone_with, make, mark_of, share_cache, stage_alone
from tasks.errors import UserError
from tasks.inputs_key import inputs_key
from tasks.yaml_files import read_yaml

COST = re.compile(r"--cost[ =](\S+)")


def main(argument: str) -> None:
    """Run the attempt that the file ``argument`` describes and write the answer beside it."""
    os.environ["HONE_STARTER"] = str(os.getpid())  # the stages end themselves when this process is gone
    task = json.loads(Path(argument).read_text(encoding="utf-8"))
    fan_out = Path(task["fan_out"]) if task["fan_out"] else None
    answer = Answer("failed", error="the runner ended without a word")
    if task["cores"] and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, task["cores"])
    try:
        Guard(task["parent"], fan_out, Path(task["prune"])).start()
        answer = _run(Job.read(task["job"]), Path(task["root"]), fan_out is not None, Path(task["log"]), task["answer"])
    except Stopped as stopped:
        answer = Answer("pruned" if stopped.pruned else "failed", error="" if stopped.pruned else "stopped")
    except UserError as error:
        answer = Answer("failed", error=str(error))
        _say(f"error: {error}")
    if answer.state in ("failed", "pruned"):
        _write(answer, Path(task["answer"]))


def _run(job: Job, root: Path, here: bool, log: Path, place: str) -> Answer:
    started = time.monotonic()
    folder = trial_folder(root, job.key)
    with alone_with(folder, mark_of(root, folder), _say):
        answer = _known(job, root)
        if answer is None:
            worktree = make(root, folder, job.base, job.tree)
            share_cache(root, worktree, folder / "site")
            os.chdir(worktree)
            try:
                answer = _stages(job, root, worktree, here, log, started)
            finally:
                os.chdir(root)
        _write(answer, Path(place))  # before the lock is free, for then the next owner may start
    return answer


def _known(job: Job, root: Path) -> Answer | None:
    """Another process may have run the same trial while this one waited."""
    found = list_trials(root, only=lambda key: key == job.key)
    if not found:
        return None
    return Answer("known", found[-1].rev, found[-1].trial.name, found[-1].metrics, found[-1].cost)


def _stages(job: Job, root: Path, worktree: Path, here: bool, log: Path, started: float) -> Answer:
    trial = job.named
    text = rewritten(PARAMS.read_text(encoding="utf-8"), trial.overrides)
    PARAMS.write_text(text, encoding="utf-8")
    _say(f"trial {trial.name}: {json.dumps(dict(trial.overrides), ensure_ascii=False)}")
    ordered = stages()
    _dvc("checkout" if here else "pull", "--quiet", "--allow-missing", "--force")
    spent: dict[str, dict[str, Any]] = {}
    for stage in ordered:
        begun = time.monotonic()
        with stage_alone(root / STAGES / _name(stage), _say):
            verdict = _reproduce(stage, log)
        spent[stage.name] = {"verdict": str(verdict), "seconds": round(time.monotonic() - begun, 1)}
        _say(f"{stage.name}: {verdict} ({spent[stage.name]['seconds']} s)")
    if not here and _dvc("push", "--quiet") != 0:
        raise UserError(f"its results did not reach the DVC remote; {log} says why, 'dvc push' there tries it")
    metrics = {split_of(path): path for stage in ordered for path in stage.metrics if Path(path).is_file()}
    cost = {"seconds": round(time.monotonic() - started, 1), "stages": spent, "files": _cost_files(spent)}
    facts = {"key": job.key, "metrics": metrics, "cost": cost}
    uncached = [path for stage in ordered for path in stage.uncached]
    rev, name = record(worktree, job.base, trial, facts, ["dvc.lock", str(PARAMS), *uncached], job.author)
    values = {split: json.loads(Path(path).read_bytes()) for split, path in metrics.items()}
    _say(f"recorded as the experiment {name} ({rev[:7]})")
    return Answer("ran", rev, name, values, cost)


def _name(stage: Stage) -> str:
    """A name for the stage with these inputs, the same in all worktrees."""
    return f"{stage.name}-{inputs_key(PIPELINE, stage.name)[:20]}"


def _reproduce(stage: Stage, log: Path) -> Verdict:
    """``dvc repro --single-item`` for one stage, in this process.

    Raises:
        StageFailed: it ended with an error; the message is its own.
    """
    at = log.stat().st_size
    before = Path("dvc.lock").read_bytes() if Path("dvc.lock").exists() else b""
    code = _dvc("repro", "--single-item", stage.name)
    heard = Heard(stage.name)
    with log.open("rb") as file:
        file.seek(at)
        for line in re.split(rb"[\r\n]+", file.read()):
            heard.line(line.decode("utf-8", errors="replace"))
    if code != 0:
        raise StageFailed(f"{stage.name}: {heard.problem(code)}")
    after = Path("dvc.lock").read_bytes() if Path("dvc.lock").exists() else b""
    return heard.verdict or (Verdict.RAN if after != before else Verdict.UNCHANGED)


def _dvc(*arguments: str) -> int:
    from dvc.cli import main as dvc

    code = int(dvc(list(arguments)) or 0)
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def _cost_files(spent: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What the cost files say of the stages that ran just now."""
    found = {}
    for name, block in read_yaml(PIPELINE)["stages"].items():
        match = COST.search(str(block.get("cmd") or ""))
        if match and spent[name]["verdict"] == Verdict.RAN and Path(match[1]).is_file():
            found[name] = json.loads(Path(match[1]).read_bytes())
    return found


def _write(answer: Answer, path: Path) -> None:
    draft = path.with_name(path.name + ".part")
    draft.write_text(json.dumps(answer.plain()), encoding="utf-8")
    draft.replace(path)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
