"""`hone diff`: is a change better? The workspace or a revision against another, on test, with a verdict in words."""

import json
from pathlib import Path
from typing import Any, Literal

import typer

from flows import revisions
from flows.dvc_lock import ABSENT
from hone.comparison import Difference
from hone.comparison_text import markdown, terminal
from hone.gates import failures
from hone.provenance import between
from hone.sides import Model, differing, sides
from tasks import adapters, params, params_file
from tasks.errors import UserError
from tasks.records import read_examples
from tasks.verdict import judge

Form = Literal["text", "markdown", "json"]
FEW_SEEDS = 5  # of both sides together: with fewer, Student's t has at most two degrees of freedom


def diff(before: str | None, after: str | None, form: Form, gate: bool, out: Path | None) -> int:
    """Compare ``after`` (none: the workspace) with ``before`` (none: the merge base with the main branch).

    Each is a revision, or several separated by commas: seeds of one system.

    Returns:
        Exit code: 0; 1 where ``gate`` is set and one fails, each named.
    """
    settings = params_file.load(Path("params.yaml"))
    found = difference(_names(before) or [revisions.merge_base()], _names(after), settings)
    failed = failures(found.judgement, settings.gate) if gate else None
    if form == "json":
        text = json.dumps(found.as_json(failed), ensure_ascii=False, indent=2)
    else:
        text = markdown(found, failed) if form == "markdown" else terminal(found, failed)
    if out:
        out.write_text(text + "\n", encoding="utf-8")
    else:
        typer.echo(text)
    return 1 if failed else 0


def difference(before: list[str], after: list[str], settings: params.Params) -> Difference:
    """All that there is to say of two sides. Raises UserError where they cannot be compared."""
    with sides(before, after) as (old, new):
        models = [*new, *old]
        test = next((model.test for model in models if model.test), None)
        train = next((model.train for model in models if model.train), None)
        if test is None or train is None:
            raise UserError(
                f"data/prepared of {old[0].label} is neither in DVC's cache nor in its remote; 'hone run preprocess' "
                "makes it for the workspace, 'dvc push' shares it from where it was made"
            )
        judgement = judge(
            adapters.name_of(settings.task, settings.options),
            [model.predictions for model in old],
            [model.predictions for model in new],
            list(read_examples(test)),
            lambda: read_examples(train),
            relevant=settings.diff.relevant,
            resamples=settings.diff.resamples,
            show_text=settings.report.show_text,
        )
        return Difference(
            before=[model.label for model in old],
            after=[model.label for model in new],
            params=_changed(old, new, "params"),
            inputs=_changed(old, new, "inputs"),
            notes=_notes(old, new),
            judgement=judgement,
        )


def _names(given: str | None) -> list[str]:
    return [name.strip() for name in (given or "").split(",") if name.strip()]


def _changed(old: list[Model], new: list[Model], kind: Literal["params", "inputs"]) -> dict[str, tuple[str, str]]:
    """Old and new value by key, of all that differs between the sides; several seeds give ``1, 2, 3``."""

    def values(side: list[Model], key: str) -> str:
        found = dict.fromkeys(_plain(getattr(model, kind).get(key, ABSENT), kind) for model in side)
        return ", ".join(found)

    keys: dict[str, None] = {}
    for first in old:
        for second in new:
            keys |= dict.fromkeys(differing(getattr(first, kind), getattr(second, kind)))
    pairs = {key: (values(old, key), values(new, key)) for key in keys}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def _plain(value: Any, kind: str) -> str:
    if value == ABSENT:
        return ABSENT
    return str(value)[:7] if kind == "inputs" else json.dumps(value, ensure_ascii=False)


def _notes(old: list[Model], new: list[Model]) -> list[str]:
    """What a reader of the verdict must know besides."""
    notes = []
    if len(old) == len(new) == 1:
        notes.append("One model on either side: the verdict is about these two, not about other seeds.")
    elif len(old) + len(new) < FEW_SEEDS:
        notes.append("So few seeds hardly tell how much seeds differ; one more on each side narrows the interval much.")
    notes += list(dict.fromkeys(line for one in old for other in new for line in between(one.made, other.made)))
    if any(model.commit is None for model in new) and (stale := _stale()):
        notes.append(f"The workspace's results are older than its code or params ({', '.join(stale)}): run `hone run`.")
    return notes


def _stale() -> list[str]:
    """Stages of the workspace up to evaluate that ask for a run."""
    from flows import dvc_lock

    stages = dvc_lock.read().stages
    return [name for name, state in stages.items() if state.stale and name != "report"]
