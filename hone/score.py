"""`hone score`: any two files of answers, tagged sentences here, judged by the scorer that judges the model."""

import json
from pathlib import Path
from typing import Any, Literal

import typer

from hone import tagged_files
from hone.score_answers import score_answers
from hone.score_text import table, with_interval
from tasks import adapters, params_file
from tasks.errors import UserError
from tasks.records import Prediction
from tasks.scoring import entities, intervals
from tasks.scoring.paired import Comparison, compare

Form = Literal["text", "markdown", "json"]
ROWS = {
    "strict": "entity_f1",
    "lenient": "entity_f1_lenient",
    "partial": "entity_f1_partial",
    "type only": "entity_f1_type_only",
    "macro": "entity_f1_macro",
}


def score(gold: Path, predicted: list[Path], form: Form, scheme: str | None, gold_column: int, pred_column: int) -> int:
    """Score one file of predictions, or compare a second one with the first; of the task that params.yaml names.

    Args:
        gold: file of gold tags; it also says the scheme, unless ``scheme`` does.
        predicted: one file or two.
        gold_column: of the tag in columns, from 0, or from the last one with -1; ``pred_column`` the same.

    Returns:
        Exit code 0.

    Raises:
        UserError: a file cannot be read, words differ, or there are more than two files.
    """
    if len(predicted) > 2:
        raise UserError(f"{len(predicted)} files of predictions; give one to score, or two to compare")
    settings = params_file.load(Path("params.yaml"))
    if settings.task != "token_classification":
        name = adapters.name_of(settings.task, settings.options)
        return score_answers(gold, predicted, form, name)
    right = tagged_files.read(gold, "gold", gold_column)
    scheme = scheme or tagged_files.scheme_of(right)
    right, repairs = tagged_files.in_iob2(right, scheme)
    systems: list[list[Prediction]] = []
    for path in predicted:
        answers = tagged_files.read(path, "predicted", pred_column)
        tagged_files.check_same(right, answers)
        answers, mended = tagged_files.in_iob2(answers, scheme)
        repairs += mended
        pairs = zip(right, answers, strict=True)
        systems.append([Prediction(one.place, one.tags, other.tags, [], one.document) for one, other in pairs])
    examples = adapters.find(settings.task).wording.examples
    found: dict[str, Any] = {
        "gold": str(gold),
        "read_as": scheme,
        "repairs": dict(sorted(repairs.items())),
        "systems": [
            {"file": str(path), "interval": intervals.describe(system, examples), **entities.score(system)}
            for path, system in zip(predicted, systems, strict=True)
        ],
    }
    verdict = _compared(systems) if len(systems) == 2 else None
    if form == "json":
        if verdict:
            found["comparison"] = {**vars(verdict), "difference": verdict.difference}
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2, sort_keys=True))
        return 0
    typer.echo("\n".join(_lines(found, verdict, markdown=form == "markdown")))
    return 0


def _compared(systems: list[list[Prediction]]) -> Comparison:
    options = params_file.load(Path("params.yaml")).diff
    before, after = (entities.HEADLINE.counts(system) for system in systems)
    groups = intervals.group_ids(systems[0])
    return compare(
        [before], [after], groups, entities.HEADLINE.figure, relevant=options.relevant, resamples=options.resamples
    )


def _lines(found: dict[str, Any], verdict: Comparison | None, *, markdown: bool) -> list[str]:
    systems = found["systems"]
    names = ["F1", *(Path(system["file"]).name for system in systems)] if len(systems) == 2 else ["", "F1"]
    rows = [[name, *(with_interval(system, key) for system in systems)] for name, key in ROWS.items()]
    types = sorted(set().union(*(system["per_type"] for system in systems)))
    for name in types:
        cells = [system["per_type"].get(name) for system in systems]
        rows.append([name, *(with_interval(cell, "f1") if cell else "-" for cell in cells)])
    if len(systems) == 1:
        names += ["precision", "recall", "gold"]
        own = systems[0]
        details = {
            "strict": [own["entity_precision"], own["entity_recall"], own["gold_entities"]],
            "lenient": [own["entity_precision_lenient"], own["entity_recall_lenient"], ""],
        } | {name: [row["precision"], row["recall"], row["support"]] for name, row in own["per_type"].items()}
        for row in rows:
            row += [
                f"{cell:.4f}" if isinstance(cell, float) else str(cell) for cell in details.get(row[0], ["", "", ""])
            ]
    lines = table(names, rows, markdown=markdown)
    first = systems[0]
    lines += [
        "",
        f"{first['sentences']:,} sentences, {first['words']:,} words, {first['gold_entities']:,} gold entities, "
        f"tags read as {found['read_as']}; in brackets: {first['interval']}",
    ]
    lines += [f"mended: {number} x {kind}" for kind, number in found["repairs"].items()]
    if verdict:
        lines.append(
            f"{names[2]} against {names[1]}: {verdict.verdict}; strict F1 {verdict.difference:+.4f} "
            f"[{verdict.low:+.4f}, {verdict.high:+.4f}], p {verdict.p:.4f}; "
            f"a difference of {verdict.detectable:.4f} would be seen in 80 % of cases"
        )
    return lines
