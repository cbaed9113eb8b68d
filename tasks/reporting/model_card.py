"""The model card, model_card.md: what somebody who gets the model must know, in the format of the Hugging Face Hub.

Its front matter follows the Hub's specification of model cards (modelcard.md of github.com/huggingface/hub-docs), with
the results as ``model-index``. It holds no wall time, no path of a machine and no sentence of the data.
"""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

from tasks import params
from tasks.errors import UserError
from tasks.models import EMBEDDED, SCRATCH
from tasks.reporting.data_card import DataCard
from tasks.reporting.gather import Report
from tasks.reporting.markdown import bounds, code, plain, table
from tasks.reporting.scores import SPLITS, Scores
from tasks.reporting.wording import count, score, several, spoken

EMBEDDED_ON_THE_HUB = "sentence-transformers/all-MiniLM-L6-v2"
PIPELINE_TAGS = {  # names that the Hub has for our tasks; it has none for the others
    "token_classification": "token-classification",
    "text_classification": "text-classification",
    "extractive_qa": "question-answering",
    "translation": "translation",
    "summarization": "summarization",
}
DECIDING = ("task", "dataset", "splits", "seed", "preprocess", "finetune", "compute", "evaluate", "options")
HARD = 3  # slices that are named as the hardest
LEAST_GOLD = 20  # of a slice that is named: fewer say little


def fingerprints(settings: params.Params, prepared: Path) -> dict[str, str]:
    """SHA-256, in hex, of the params that decide the model and its figures, and of each prepared split.

    Raises:
        UserError: a split is missing.
    """
    values = settings.model_dump(mode="json", include=set(DECIDING))
    hashes = {"params": hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()}
    for split in ("train", *SPLITS):
        path = prepared / f"{split}.jsonl"
        try:
            with path.open("rb") as file:
                hashes[split] = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            raise UserError(f"{path}: no such file; 'dvc repro' makes it") from None
    return hashes


def model_card(report: Report, settings: params.Params, data_card: DataCard, hashes: dict[str, str]) -> str:
    """The card as Markdown with YAML front matter."""
    parts = [
        f"---\n{_yaml(_front_matter(report, settings, data_card, hashes))}---",
        f"# {plain(report.dataset)}: {spoken(report.task)}",
        _summary(report),
        "## Uses",
        _quoted("use", data_card, report),
        "## Bias, risks and limitations",
        "### Limits",
        _limits(report),
        _quoted("limits", data_card, report),
        "### Bias",
        _bias(report),
        _quoted("bias", data_card, report),
        "### Personal data",
        _personal(report),
        _quoted("personal data", data_card, report),
        "## Training",
        *_training(report, settings, data_card, hashes),
        "## Evaluation",
        *_evaluation(report),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(
    report: Report, settings: params.Params, data_card: DataCard, hashes: dict[str, str]
) -> dict[str, Any]:
    facts: dict[str, Any] = {"license": settings.report.license, "library_name": "transformers"}
    if "language" in data_card.facts:
        facts["language"] = data_card.facts["language"]
    task = PIPELINE_TAGS.get(report.task)
    if task:
        facts["pipeline_tag"] = task
    facts["tags"] = ["hone", report.task]
    base = _base_model(settings.finetune.model)
    if base:
        facts["base_model"] = base
    parts_known = report.scores["test"].strict.precision is not None
    facts["metrics"] = ["f1", "precision", "recall"] if parts_known else [report.wording.figure.lower()]
    facts["model-index"] = [
        {
            "name": report.dataset,
            "results": [
                {
                    "task": {"type": task or report.task, "name": spoken(report.task)},
                    "dataset": {
                        "name": report.dataset,
                        "type": report.dataset,
                        "split": split,
                        "revision": f"sha256:{hashes[split]}",
                    },
                    "metrics": _metrics(report.scores[split], report.wording.figure),
                }
                for split in reversed(SPLITS)
            ],
        }
    ]
    return facts


def _metrics(own: Scores, figure: str) -> list[dict[str, Any]]:
    rule = f"{own.mode}, {own.scheme}"
    return [
        {"type": figure.lower(), "name": f"{figure} ({rule})", "value": own.strict.f1},
        {"type": figure.lower(), "name": f"{figure} ({rule}), low end of the 95 % interval", "value": own.interval.low},
        {
            "type": figure.lower(),
            "name": f"{figure} ({rule}), high end of the 95 % interval",
            "value": own.interval.high,
        },
        *(
            {"type": name.lower(), "name": f"{name} ({rule})", "value": value}
            for name, value in (("Precision", own.strict.precision), ("Recall", own.strict.recall))
            if value is not None
        ),
    ]


def _base_model(model: str) -> str | None:
    """The Hub's name of the model that was fine-tuned; None where it is a folder of the project or a new one."""
    if model == EMBEDDED:
        return EMBEDDED_ON_THE_HUB
    return None if model == SCRATCH or Path(model).is_dir() else model


def _yaml(values: dict[str, Any]) -> str:
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 4096
    file = io.StringIO()
    yaml.dump(values, file)
    return file.getvalue()


def _summary(report: Report) -> str:
    own = report.scores["test"]
    kinds = f" of {several([code(label) for label in report.types])}" if report.types else ""
    return (
        f"Fine-tuned on {code(report.dataset)} for {spoken(report.task)}{kinds}. On test it has a "
        f"{report.wording.headline} of {score(own.strict.f1)} {bounds(own.interval)}."
    )


def _quoted(topic: str, data_card: DataCard, report: Report) -> str:
    """What the data card says of a topic, word for word, or that it says nothing."""
    found = data_card.sections.get(topic)
    if not found:
        return (
            f"The data card says nothing of it. A section of README.md in the folder of {code(report.dataset)} whose "
            f"heading names it ({topic}) is quoted here."
        )
    heading, text = found
    if not report.show_text:
        return f"The data card has a section {code(heading)}. It is not quoted, because `report.show_text` is false."
    quoted = "\n".join(f"> {line}".rstrip() for line in text.splitlines())
    return f"The data card says under {code(heading)}:\n\n{quoted}"


def _limits(report: Report) -> str:
    own = report.scores["validation"]
    lines = [
        f"Test holds {count(report.scores['test'].sentences, report.wording.example)}: the true figure may lie "
        f"anywhere in {bounds(report.scores['test'].interval)} (95 %), and further away on other texts.",
        "Nothing says how sure it is of a text as a whole; its confidence is that of its sub-words."
        if own.ece is None
        else f"Its confidence is off by {score(own.ece)} on average (expected calibration error on validation)"
        + (
            f"; divide the logits by {report.calibration.temperature:.2f} before reading it as a probability."
            if report.calibration.temperature != 1
            else "."
        ),
    ]
    if own.baselines:
        named = [f"{name} {score(value)}" for name, value in report.scores["test"].baselines.items()]
        lines.append(f"Baselines that need no training reach on test: {several(named)}.")
        lines.append(f"On test the {report.scores['test'].beaten}.")
    lines += [plain(note) for note in report.findings.notes]
    return "\n".join(f"- {line}" for line in lines)


def _bias(report: Report) -> str:
    """Where it is worse than elsewhere, as far as types and slices can tell."""
    lines = []
    types = sorted(report.scores["test"].types.items(), key=lambda entry: (entry[1].figures.f1, entry[0]))
    if len(types) > 1:
        (worst, low), (best, high) = types[0], types[-1]
        lines.append(
            f"On test {report.wording.figure} goes from {score(low.figures.f1)} for {code(worst)} ({low.support} gold) "
            f"to {score(high.figures.f1)} for {code(best)} ({high.support} gold)."
        )
    slices = [entry for own in report.focus.slices.values() for entry in own if entry.gold >= LEAST_GOLD]
    known = sorted((entry.figure, entry.dimension, entry.name) for entry in slices if entry.figure is not None)
    if known:
        named = [f"{spoken(dimension)} {code(name)} {score(figure)}" for figure, dimension, name in known[:HARD]]
        lines.append(f"The hardest slices of validation by {report.wording.figure}: {several(named)}.")
    lines.append("Groups of people are not told apart by any figure here.")
    return "\n".join(f"- {line}" for line in lines)


def _personal(report: Report) -> str:
    return (
        "A model may repeat what it learned from its training texts. Nothing here removes names from them. The "
        f"report of this run shows {report.wording.examples if report.show_text else 'no text'} of the data."
    )


def _training(report: Report, settings: params.Params, data_card: DataCard, hashes: dict[str, str]) -> list[str]:
    rows = [
        (split.name, count(split.sentences), count(split.words), count(split.written), code(hashes[split.name]))
        for split in report.findings.splits
    ]
    licence = data_card.facts.get("license")
    options = settings.finetune.model_dump(mode="json")
    if _base_model(settings.finetune.model) is None:
        options["model"] = Path(settings.finetune.model).name
    return [
        f"The data is {code(report.dataset)}" + (f", licence {code(str(licence))}." if licence else "."),
        table(("split", report.wording.examples, "words", report.wording.items, "SHA-256"), rows),
        f"Seed {settings.seed}; epoch {report.best.number} of {report.history[-1].number} was the best on validation "
        f"and is the one kept. All params that decide the model have the SHA-256 {code(hashes['params'])}; those of "
        "fine-tuning:",
        f"```yaml\n{_yaml(options)}```",
    ]


def _evaluation(report: Report) -> list[str]:
    own = report.scores["test"]
    parts_known = own.strict.precision is not None
    rows = [
        (code(label), f"{score(line.figures.f1)} {bounds(line.interval)}", count(line.support))
        for label, line in own.types.items()
    ]
    splits = [
        (
            split,
            f"{score(one.strict.f1)} {bounds(one.interval)}",
            *([score(one.strict.precision), score(one.strict.recall)] if parts_known else []),
            count(one.gold),
        )
        for split, one in report.scores.items()
    ]
    counted = f"{report.wording.figure} is the {report.wording.headline} ({own.mode}, {own.scheme})."
    rule = f"{counted} {plain(report.wording.rule)} In brackets the {plain(own.how)}."
    names = ("split", report.wording.figure, *(("precision", "recall") if parts_known else ()), "gold")
    parts = [rule, table(names, splits)]
    return parts + ([table(("type, on test", report.wording.figure, "gold"), rows)] if rows else [])
