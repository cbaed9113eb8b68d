"""A run that nobody watches: fetch, run in a worktree, compare with what is live, publish what passed.

Nothing of the clone's own checkout is touched. Whatever ends a run, nothing is published before its verdict, and the
next run finds finished stages in DVC's cache and an interrupted training by its checkpoint.
"""

import html
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from flows import dvc_remote, remote, revisions
from flows.dag import PARAMS, stages
from flows.dvc import StageFailed, StageKilled
from flows.objects import objects
from flows.pull_requests import propose
from flows.trials.guard import MARK
from flows.trials.place import active
from flows.trials.worktree import Occupied, alone_with, make, mark_of, share_cache
from flows.upstream import Upstream, is_known, look, new_data, publish, remember, tree_of
from tasks.errors import UserError
from tasks.params import Schedule
from tasks.params_file import check
from tasks.yaml_files import read_yaml, read_yaml_text

PLACE = Path(".dvc/tmp/hone/scheduled")  # the worktree of the run at work, and the lock
PREPARED = "data/prepared"
SPLITS = ("train.jsonl", "validation.jsonl", "test.jsonl")

Say = Callable[[str], None]
RunStages = Callable[[list[str], bool], None]  # brings stages and all before them up to date, out of the remote if True


class Ending(StrEnum):
    """How a scheduled run ended that did not fail."""

    PUBLISHED = "Published"
    UNCHANGED = "Unchanged"
    SKIPPED = "Skipped"


@dataclass(frozen=True)
class Report:
    """What became of a run: the ending, one line on it, and the verdict in Markdown where there is one."""

    ending: Ending
    line: str
    verdict: str = ""


class Refused(UserError):
    """The new model may not go live, or its data may not be trained on."""


def settings_here() -> Schedule:
    """The block ``schedule`` of params.yaml in the current folder.

    Raises:
        UserError: it is missing or wrong.
    """
    block = read_yaml(PARAMS).get("schedule")
    if not isinstance(block, dict):
        raise UserError(f"{PARAMS}: the block 'schedule:' is missing; the params.yaml that hone ships has one")
    return check(Schedule, block, PARAMS)


def unattended(run_stages: RunStages, say: Say, *, only_new_data: bool) -> Report:
    """One scheduled run of the project in the current folder; the process works in its worktree meanwhile.

    Args:
        run_stages: how stages are run, called in the worktree with the names of some, or none for all.
        say: takes one line per step.
        only_new_data: end at once unless data/raw changed since the last run with a verdict, or while another
            scheduled run is at work here; else that one is waited for.

    Raises:
        Refused: data or model are not good enough; the message names every reason.
        StageFailed: a stage ended with an error.
        UserError: Git, the remotes or gh did not do their part.
    """
    root = Path.cwd()
    settings = settings_here()
    try:
        # A look for new data is over in seconds and comes again; a night waits for it, or for the run that it started.
        with active(), alone_with(root / PLACE, mark_of(root, root / PLACE), say, patient=not only_new_data):
            upstream = look(settings)
            say(
                f"{settings.source} is at {upstream.tip[:7]}, the live model of {settings.live} is from "
                f"{upstream.live[:7]}"
            )
            if only_new_data and not new_data(upstream):
                return Report(
                    Ending.UNCHANGED, f"data/raw is what the last run had ({settings.source} {upstream.tip[:7]})"
                )
            with _worktree(root, upstream):
                tree, verdict = _judged(run_stages, say, upstream)
                if not verdict:
                    remember(upstream)
                    return Report(
                        Ending.UNCHANGED, f"{settings.source} {upstream.tip[:7]} gives no other results than known"
                    )
                report = _published(say, upstream, tree, verdict)
            remember(upstream)
            return report
    except Occupied as occupied:
        return Report(Ending.SKIPPED, f"another scheduled run ({occupied}) is at work here")


@contextmanager
def _worktree(root: Path, upstream: Upstream) -> Iterator[None]:
    """Work in a new worktree of the commit to run; it is removed by who holds the folder's lock."""
    os.environ[MARK] = mark_of(root, root / PLACE)
    worktree = make(root, root / PLACE, upstream.tip, upstream.tip)
    share_cache(root, worktree, root / PLACE / "site")
    os.chdir(worktree)
    try:
        yield
    finally:
        os.chdir(root)


def _judged(run_stages: RunStages, say: Say, upstream: Upstream) -> tuple[str, str]:
    """Run everything; the tree with the results, and the verdict in Markdown, empty where they are known already."""
    name = dvc_remote.name()
    say(f"data and earlier results from the DVC remote {name}" if name else "no DVC remote: this clone's cache")
    if name is None:
        dvc_remote.checkout()  # else the stages bring what they need
    try:
        ordered = stages()
        first = [stage.name for stage in ordered if PREPARED in stage.outs]
        if first:
            run_stages(first, name is not None)
            _check_data(upstream, say)
        run_stages([], name is not None)
        tree = tree_of(Path(), ["dvc.lock", *(path for stage in ordered for path in stage.uncached)])
        return tree, "" if is_known(upstream, tree) else _verdict(upstream, say)
    except StageKilled:
        raise
    except (StageFailed, Refused):
        remember(upstream)  # new data is looked at once; the next night tries it again all the same
        raise


def _check_data(upstream: Upstream, say: Say) -> None:
    """Refuse data that shrank: a feed that broke must not replace the model.

    Raises:
        Refused: a split has fewer examples than ``schedule.least_data`` of what the live model had.
    """
    lock = revisions.file(upstream.live, "dvc.lock") or b""
    done = (read_yaml_text(lock.decode(), f"{upstream.live[:7]}:dvc.lock").get("stages") or {}).values()
    folders = [out["md5"] for stage in done for out in stage.get("outs") or [] if out["path"] == PREPARED]
    if not folders:
        return
    with objects() as store:
        for name in SPLITS:
            before, now = store.find_in(folders[0], name), Path(PREPARED, name)
            if before is None or not now.is_file():
                continue
            had, has = _lines(before), _lines(now)
            say(f"{now.stem}: {has} examples, {had} of the live model")
            if has < upstream.settings.least_data * had:
                raise Refused(
                    f"{now.stem} has {has} examples where the live model had {had}, a share below "
                    f"schedule.least_data: {upstream.settings.least_data:g}; mend data/raw, or lower "
                    "that if there is meant to be less"
                )


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)


def _verdict(upstream: Upstream, say: Say) -> str:
    """What ``hone diff --gate`` of the commit that ran says of the worktree against what is live.

    Raises:
        Refused: a gate failed; each is named.
        UserError: there is no verdict.
    """
    out = Path(".dvc/tmp/verdict.md").absolute()
    out.parent.mkdir(parents=True, exist_ok=True)
    path = os.pathsep.join([str(Path.cwd()), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [
            sys.executable,
            "-P",
            "-m",
            "hone",
            "diff",
            upstream.live,
            "--gate",
            "--format",
            "markdown",
            "--out",
            str(out),
        ],
        env={**os.environ, "PYTHONPATH": path, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if not out.is_file():
        said = " ".join(done.stderr.split()).removeprefix("error: ") or f"hone diff ended with {done.returncode}"
        raise Refused(f"no verdict: {said}")
    verdict = out.read_text(encoding="utf-8")
    say(subject(verdict))
    if done.returncode != 0:
        _, _, after = verdict.partition("**Gate failed:**\n")
        failed = [line.removeprefix("- ") for line in after.partition("\n\n")[0].splitlines()]
        raise Refused("; ".join(failed) or f"hone diff ended with {done.returncode}")
    return verdict


def _published(say: Say, upstream: Upstream, tree: str, verdict: str) -> Report:
    """Results first, then the commit that names them: whoever has the commit can have the model."""
    settings = upstream.settings
    if name := dvc_remote.name():
        remote.push(everything=False)
        say(f"results are in the DVC remote {name}")
    commit = publish(upstream, tree, message(verdict))
    line = f"{settings.branch} is at {commit[:7]}: {subject(verdict)}"
    say(line)
    if settings.pull_request:
        line += f" ({propose(settings, subject(verdict), verdict)})"
    return Report(Ending.PUBLISHED, line, verdict)


def message(verdict: str) -> str:
    """The verdict as Git takes it: the sentence first, no marks of Markdown, up to the figures."""
    text = re.split(r"\n#### (?:Slices|[^\n]+ (?:fixed|broken): \d)", verdict, maxsplit=1)[0]
    plain = html.unescape(re.sub(r"\\(.)|^#+ |\*\*", r"\1", text, flags=re.MULTILINE))
    return plain.strip() + "\n"


def subject(verdict: str) -> str:
    """The first line of a verdict in Markdown, plain."""
    return verdict.partition("\n")[0].strip("* ")
