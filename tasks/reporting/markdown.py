"""The report as Markdown that fits a pull request comment: short, no links, nothing in it that could call somebody."""

import re
from collections.abc import Iterable, Sequence

from tasks.reporting.confusion import NONE, mixups
from tasks.reporting.gather import Report
from tasks.reporting.mistakes import Mistake, Run
from tasks.reporting.scores import Interval
from tasks.reporting.wording import confidence, count, gain, percent, score, spoken

MOST_TYPES = 30
MOST_ENTRIES = 8
MOST_MIXUPS = 5
MOST_CHANGES = 12
MOST_MISTAKES = 5
LONGEST_RUN = 120  # characters of text between two items that are shown; more is left out in its middle


def markdown(report: Report) -> str:
    """report.md: the headline first, then what to work on, types, data and the worst mistakes."""
    parts = [
        f"## {code(report.dataset)}",
        " · ".join(f"{name} {code(value)}" for name, value in report.run),
        *_headline(report),
        *_focus(report),
        *_types(report),
        *_confusion(report),
        *_data(report),
        *_mistakes(report),
    ]
    return "\n\n".join(parts) + "\n"


def _headline(report: Report) -> list[str]:
    parts_known = report.scores["validation"].strict.precision is not None
    rows = [
        (
            f"**{split}**",
            f"**{score(own.strict.f1)}** {bounds(own.interval)}",
            *([score(own.strict.precision), score(own.strict.recall)] if parts_known else []),
            *(score(variant.f1) for variant in own.variants if variant.name == "lenient"),
            *(score(value) for value in own.baselines.values()),
            count(own.gold),
            count(own.predicted),
            count(own.sentences),
        )
        for split, own in report.scores.items()
    ]
    own = report.scores["validation"]
    lenient = [f"{variant.name} F1" for variant in own.variants if variant.name == "lenient"]
    baselines = [f"{name} baseline" for name in own.baselines]
    names = (
        "",
        report.wording.headline,
        *(["precision", "recall"] if parts_known else []),
        *lenient,
        *baselines,
        "gold",
        "predicted",
    )
    names = (*names, report.wording.examples)
    parts = [table(names, rows)]
    if report.goal:
        goal = report.goal
        other = "" if goal.headline else f" for {code(goal.metric)}, now {score(goal.figure)}"
        parts.append(f"**Goal {score(goal.value)} on validation{other}:** {goal.verdict}.")
    parts.append(f"On validation the {own.beaten}; on test the {report.scores['test'].beaten}.")
    tokens = report.tokens.get("validation")
    parts.append(
        f"In brackets the {plain(own.how)}. Epoch {report.best.number} of {report.history[-1].number} was the best on "
        f"validation and is scored here."
        + ("" if own.ece is None else f" Expected calibration error of validation {score(own.ece)}.")
        + (
            f" Word by word, with O counted, {score(tokens.accuracy)} of validation are right: that is the token "
            "accuracy, not the entity score."
            if tokens
            else ""
        )
    )
    return parts


def _focus(report: Report) -> list[str]:
    entries = report.focus.ranking[:MOST_ENTRIES]
    parts = ["### What to work on next"]
    if entries:
        rows = [
            (f"{spoken(entry.dimension)} {code(entry.name)}", gain(entry.gain), score(entry.right), count(entry.errors))
            for entry in entries
        ]
        parts.append(table((_if_right(report), "gain", f"{report.wording.figure} then", "errors"), rows))
    else:
        parts.append("Validation holds no error.")
    if report.suspects:
        number = len(report.suspects)
        places = count(number, "place")
        parts.append(
            f"Suspected annotation mistakes: {places} of validation where a sure prediction differs from a gold that "
            f"train contradicts; {code('suspects.jsonl')} lists {'it' if number == 1 else 'them'} for an annotator."
        )
    return parts


def _if_right(report: Report) -> str:
    return f"if these were {'as the rest' if report.wording.written else 'right'} on validation"


def _types(report: Report) -> list[str]:
    if report.wording.written:
        return []
    if not report.types:
        return [f"There is no {report.wording.item} in the data or the predictions."]
    splits = [own.types for own in report.scores.values()]
    by_size = sorted(
        report.types, key=lambda label: (-sum(own[label].support for own in splits if label in own), label)
    )
    rows = []
    for label in by_size[:MOST_TYPES]:
        row = [code(label)]
        for own in splits:
            known = own.get(label)
            row += (
                [f"{score(known.figures.f1)} {bounds(known.interval)}", count(known.support)] if known else ["-", "0"]
            )
        rows.append(row)
    names = ["type", *(name for split in report.scores for name in (f"{split} {report.wording.figure}", "gold"))]
    parts = ["### Types", table(names, rows)]
    if len(by_size) > MOST_TYPES:
        parts.append(f"{len(by_size) - MOST_TYPES} smaller types are in report.html.")
    return parts


def _confusion(report: Report) -> list[str]:
    worst = mixups(report.confusion)[:MOST_MIXUPS]
    if not worst:
        return []

    def words(gold: str, predicted: str) -> str:
        if predicted == NONE:
            return f"{code(gold)} missed"
        return f"{code(predicted)} invented" if gold == NONE else f"{code(gold)} taken for {code(predicted)}"

    listed = [f"{words(gold, predicted)} {count(number)}" for gold, predicted, number in worst]
    return [f"Most frequent on validation: {'; '.join(listed)}."]


def _data(report: Report) -> list[str]:
    findings = report.findings
    rows = [
        (
            split.name,
            count(split.sentences),
            count(split.words),
            count(split.raw),
            count(split.refused),
            count(split.written),
        )
        for split in findings.splits
    ]
    named = report.wording
    lines = [plain(note) for note in findings.notes]
    lines += [
        f"{change.split}: {code(change.kind)} {change.what} {count(change.times, 'time')}"
        + (f", {count(change.entities, named.item, named.items)} lost by it" if change.entities else "")
        for change in findings.changes[:MOST_CHANGES]
    ]
    if not findings.changes:
        lines.append("No row was refused and nothing was repaired.")
    if len(findings.changes) > MOST_CHANGES:
        lines.append(f"{len(findings.changes) - MOST_CHANGES} more kinds are in report.html.")
    names = ("", named.examples, "words", f"{named.items} in the files", "refused", "used")
    return ["### Data", table(names, rows), "\n".join(f"- {line}" for line in lines)]


def _mistakes(report: Report) -> list[str]:
    mistakes = report.mistakes
    share = percent(mistakes.wrong, mistakes.examples)
    parts = [
        "### Worst mistakes",
        f"{count(mistakes.wrong)} of {count(mistakes.examples, report.wording.example)} of validation ({share}) "
        + (
            "have a fault that can be named; the others may still be wrong."
            if report.wording.written
            else f"hold {count(mistakes.errors, 'error')}."
        ),
    ]
    worst = mistakes.worst[:MOST_MISTAKES] if report.show_text else ()
    if worst:
        parts[-1] += f" {_surest(report, len(worst))}"
        parts.append(fenced("\n\n".join(map(drawn, worst))))
    return parts


def _surest(report: Report, number: int) -> str:
    if report.wording.written:
        return f"The {number} that were written with most confidence:" if number > 1 else "The surest:"
    return f"The {number} with the surest error:" if number > 1 else "The surest:"


def drawn(mistake: Mistake) -> str:
    """A mistake as plain text, items in brackets after their label."""
    if mistake.source:
        head = f"{mistake.id}, confidence {confidence(mistake.confidence)}: {mistake.errors[0].kind}"
        texts = (("source", mistake.source), ("reference", mistake.gold[0].text), ("output", mistake.predicted[0].text))
        return "\n".join([head, *(f"  {name:<11}{text}" for name, text in texts)])
    head = f"{mistake.id}, surest error {confidence(mistake.confidence)}"
    return f"{head}\n  gold       {_line(mistake.gold)}\n  predicted  {_line(mistake.predicted)}"


def _line(runs: Sequence[Run]) -> str:
    def shown(run: Run) -> str:
        if run.label:
            return f"[{run.label} {run.text}]"
        if len(run.text) <= LONGEST_RUN:
            return run.text
        half = LONGEST_RUN // 2
        return f"{run.text[:half].rstrip()} … {run.text[-half:].lstrip()}"

    return " ".join(map(shown, runs))


def table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column is text and whose others are figures."""
    lines = [names, ["---", *["---:"] * (len(names) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def bounds(interval: Interval) -> str:
    """An interval as it stands beside its figure."""
    return f"[{score(interval.low)}, {score(interval.high)}]"


def code(text: str) -> str:
    """The text as a code span, in which nothing is a link, a mention or a mark; fit for a table."""
    text = text.replace("|", "\\|")
    ticks = "`" * (_longest_ticks(text) + 1)
    return f"{ticks} {text} {ticks}" if "`" in text else f"{ticks}{text}{ticks}"


def fenced(text: str) -> str:
    """The text as a code block that no line of it can end."""
    fence = "`" * max(3, _longest_ticks(text) + 1)
    return f"{fence}text\n{text}\n{fence}"


def plain(text: str) -> str:
    """The text with every sign of Markdown escaped."""
    return re.sub(r"([\\`*_{}\[\]<>#|~@])", r"\\\1", text)


def _longest_ticks(text: str) -> int:
    return max((len(ticks) for ticks in re.findall("`+", text)), default=0)
