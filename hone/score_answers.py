"""`hone score` for tasks whose answers are labels or texts: the figures of the scorer that judges the model."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import typer

from hone import answer_files
from hone.score_text import table, with_interval
from tasks import adapters, params_file
from tasks.records import Prediction
from tasks.scoring import intervals
from tasks.scoring.paired import Comparison, compare


def score_answers(gold: Path, predicted: list[Path], form: Literal["text", "markdown", "json"], task: str) -> int:
    """Score one file of answers, or compare a second one with the first.

    Returns:
        Exit code 0.

    Raises:
        UserError: a file cannot be read, or examples differ.
    """
    adapter = adapters.find(task)
    scorer: Any = import_module(f"tasks.scoring.{adapter.scorer}")
    right = answer_files.read(gold, "gold", task)
    systems: list[list[Prediction]] = []
    for path in predicted:
        given = answer_files.read(path, "predicted", task)
        by_id = not any(one.id.startswith((f"{gold}:", f"{path}:")) for one in (*right, *given))
        systems.append(answer_files.paired(right, given, path, by_id=by_id))
    found: dict[str, Any] = {
        "gold": str(gold),
        "systems": [
            {
                "file": str(path),
                "interval": intervals.describe(system, adapter.wording.examples),
                **scorer.score(system),
            }
            for path, system in zip(predicted, systems, strict=True)
        ],
    }
    verdict = _compared(scorer.HEADLINE, systems) if len(systems) == 2 else None
    if form == "json":
        if verdict:
            found["comparison"] = {**vars(verdict), "difference": verdict.difference}
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2, sort_keys=True))
        return 0
    typer.echo("\n".join(_lines(found, verdict, adapter.headline, adapter.wording, markdown=form == "markdown")))
    return 0


def _compared(measure: Any, systems: list[list[Prediction]]) -> Comparison:
    options = params_file.load(Path("params.yaml")).diff
    before, after = (measure.counts(system) for system in systems)
    groups = intervals.group_ids(systems[0])
    return compare([before], [after], groups, measure.figure, relevant=options.relevant, resamples=options.resamples)


def _lines(
    found: dict[str, Any], verdict: Comparison | None, headline: str, words: adapters.Wording, *, markdown: bool
) -> list[str]:
    systems = found["systems"]
    names = ["", *(Path(system["file"]).name for system in systems)]
    figures = [name for name in systems[0] if f"{name}_low" in systems[0]]
    figures.sort(key=lambda name: (name != headline, name))
    rows = [[name, *(with_interval(system, name) for system in systems)] for name in figures]
    for name in sorted(set().union(*(system["per_type"] for system in systems))):
        cells = [system["per_type"].get(name) for system in systems]
        rows.append([name, *(with_interval(cell, "f1") if cell else "-" for cell in cells)])
    first = systems[0]
    lines = [
        *table(names, rows, markdown=markdown),
        "",
        f"{first['sentences']:,} {words.examples}, {first['gold_entities']:,} gold {words.items}; "
        f"in brackets: {first['interval']}",
    ]
    if verdict:
        lines.append(
            f"{names[2]} against {names[1]}: {verdict.verdict}; {words.headline} {verdict.difference:+.4f} "
            f"[{verdict.low:+.4f}, {verdict.high:+.4f}], p {verdict.p:.4f}; "
            f"a difference of {verdict.detectable:.4f} would be seen in 80 % of cases"
        )
    return lines
