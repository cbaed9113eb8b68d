"""What a report shows, as one frozen value made from the files of a run."""

from dataclasses import dataclass
from pathlib import Path

from tasks import params, records
from tasks.adapters import Adapter
from tasks.reporting.confusion import read_confusion
from tasks.reporting.findings import Findings, read_findings
from tasks.reporting.history import Epoch, read_history
from tasks.reporting.mistakes import Mistakes, worst_mistakes
from tasks.reporting.scores import SPLITS, Scores, TokenTable, read_scores, read_tokens
from tasks.reporting.wording import visible


@dataclass(frozen=True, slots=True)
class Report:
    """All that report.md and report.html show.

    Attributes:
        run: names and values that say which run this is.
        types: labels of all splits in order; a label's place chooses its colour.
        best: the epoch whose model was kept, the first with the highest score.
        confusion: how often a gold type (or ``none``) met a predicted one (or ``none``).
        show_text: whether texts of the data may be shown.
    """

    task: str
    dataset: str
    run: tuple[tuple[str, str], ...]
    scores: dict[str, Scores]
    types: tuple[str, ...]
    history: tuple[Epoch, ...]
    best: Epoch
    confusion: dict[tuple[str, str], int]
    mistakes: Mistakes
    tokens: dict[str, TokenTable]
    findings: Findings
    show_text: bool


def gather(data: Path, settings: params.Params, adapter: Adapter) -> Report:
    """Read the outs of preprocess, finetune and evaluate in folder ``data``.

    Raises:
        UserError: a file is missing, broken, or does not belong to the others.
    """
    prepared = data / "prepared"
    scores = {split: read_scores(data / f"metrics.{split}.json", adapter.headline) for split in SPLITS}
    history = read_history(data / "history.csv")
    findings = read_findings(prepared / "summary.json", show_text=settings.report.show_text)
    labels = {visible(label) for split in findings.splits for label in split.entities}
    labels.update(label for split in scores.values() for label in split.types)
    return Report(
        task=settings.task,
        dataset=settings.dataset,
        run=describe_run(settings),
        scores=scores,
        types=tuple(sorted(labels)),
        history=history,
        best=max(history, key=lambda epoch: (epoch.score == epoch.score, epoch.score)),
        confusion=read_confusion(data / "confusion.csv"),
        mistakes=worst_mistakes(
            records.read_examples(prepared / "validation.jsonl"),
            records.read_predictions(data / "predictions.validation.jsonl"),
            adapter.show,
            most=settings.report.worst_mistakes,
            show_text=settings.report.show_text,
        ),
        tokens=read_tokens(data / "token_table.json"),
        findings=findings,
        show_text=settings.report.show_text,
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
