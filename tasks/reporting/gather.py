"""What a report shows, as one frozen value made from the files of a run."""

from dataclasses import dataclass
from pathlib import Path

from tasks import params, records
from tasks.adapters import Adapter, Wording
from tasks.reporting.calibration import Calibration, read_calibration
from tasks.reporting.confusion import read_confusion
from tasks.reporting.findings import Findings, read_findings
from tasks.reporting.focus import Focus, read_focus
from tasks.reporting.goal import Goal, read_goal, slice_goal
from tasks.reporting.history import Epoch, read_history
from tasks.reporting.mistakes import Mistakes, worst_mistakes
from tasks.reporting.naming import Naming
from tasks.reporting.scores import SPLITS, Scores, TokenTable, formed, read_scores, read_tokens
from tasks.reporting.suspects import Suspect, read_suspects
from tasks.reporting.wording import visible


@dataclass(frozen=True, slots=True)
class Report:
    """All that report.md, report.html and model_card.md show.

    Attributes:
        run: names and values that say which run this is.
        goal: what validation is to reach, None where no goal is set.
        types: labels of all splits in order; a label's place chooses its colour.
        best: the epoch whose model was kept, the first with the highest score.
        confusion: how often a gold type (or ``none``) met a predicted one (or ``none``).
        show_text: whether texts of the data may be shown.
    """

    task: str
    wording: Wording
    dataset: str
    run: tuple[tuple[str, str], ...]
    goal: Goal | None
    scores: dict[str, Scores]
    types: tuple[str, ...]
    history: tuple[Epoch, ...]
    best: Epoch
    confusion: dict[tuple[str, str], int]
    focus: Focus
    calibration: Calibration
    mistakes: Mistakes
    suspects: tuple[Suspect, ...]
    tokens: dict[str, TokenTable]
    findings: Findings
    show_text: bool


def gather(
    data: Path,
    settings: params.Params,
    adapter: Adapter,
    goal: tuple[str, float] | None = None,
    goal_slice: str = "",
) -> Report:
    """Read the outs of preprocess, finetune and evaluate in folder ``data``.

    Args:
        goal: a metric and the value that it is to reach.
        goal_slice: ``dimension: name`` of the slice in which the headline is to reach it, in place of the metric.

    Raises:
        UserError: a file is missing, broken, or does not belong to the others.
    """
    prepared = data / "prepared"
    show_text = settings.report.show_text
    naming = Naming(show_text=show_text)
    scores = {split: read_scores(data / f"metrics.{split}.json", adapter.headline) for split in SPLITS}
    history = read_history(data / "history.csv")
    findings = read_findings(prepared / "summary.json", adapter.wording.example, show_text=show_text)
    focus = read_focus(data / "focus.json", naming)
    labels = {visible(label) for split in findings.splits for label in split.entities}
    labels.update(label for split in scores.values() for label in split.types)
    mistakes_file = data / "mistakes.validation.jsonl"
    with formed(mistakes_file):
        mistakes = worst_mistakes(
            records.read_lines(mistakes_file),
            records.read_examples(prepared / "validation.jsonl"),
            records.read_predictions(data / "predictions.validation.jsonl"),
            adapter.show,
            naming,
            most=settings.report.worst_mistakes,
            show_text=show_text,
            written=adapter.wording.written,
            quoted=adapter.wording.quoted,
        )
    with formed(data / "suspects.jsonl"):
        suspects = read_suspects(records.read_lines(data / "suspects.jsonl"), show_text=show_text)
    aim = None
    if goal and goal_slice:
        aim = slice_goal(focus, goal_slice, goal[1], adapter.headline, naming)
    elif goal:
        aim = read_goal(data / "metrics.validation.json", *goal, adapter.headline)
    if adapter.wording.written:  # all are of one type, which says nothing
        labels = set()
    return Report(
        task=settings.task,
        wording=adapter.wording,
        dataset=settings.dataset,
        run=describe_run(settings),
        goal=aim,
        scores=scores,
        types=tuple(sorted(labels)),
        history=history,
        best=max(history, key=lambda epoch: (epoch.score == epoch.score, epoch.score)),
        confusion=read_confusion(data / "confusion.csv"),
        focus=focus,
        calibration=read_calibration(data / "calibration.json", data / "reliability.csv"),
        mistakes=mistakes,
        suspects=suspects,
        tokens=read_tokens(data / "token_table.json"),
        findings=findings,
        show_text=show_text,
    )


def describe_run(settings: params.Params) -> tuple[tuple[str, str], ...]:
    """The params by which a reader tells this run from another, in words."""
    options = settings.finetune
    return (
        ("task", settings.task),
        ("model", options.model),
        ("revision", options.revision),
        ("epochs", str(options.epochs)),
        ("batch", str(options.batch_size)),
        ("learning rate", f"{options.learning_rate:g}"),
        ("seed", str(settings.seed)),
    )
