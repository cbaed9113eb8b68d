"""The charts of the page: loss and score by epoch, and F1 by type."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tasks.reporting.gather import Report
from tasks.reporting.history import Epoch
from tasks.reporting.svg import FIRST, SECOND, TEXT, drawing, inline_svg
from tasks.reporting.wording import score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 4.7, 2.7  # inches, of which one is 72 units of the drawing: about the width of a phone


def charts(report: Report) -> dict[str, str]:
    """Inline SVG by name: ``loss``, ``score`` and, where there are types, ``types``."""
    with drawing():
        drawn = {"loss": loss_chart(report.history), "score": score_chart(report.history, report.best)}
        if report.types:
            drawn["types"] = types_chart(report)
    return drawn


def loss_chart(history: Sequence[Epoch]) -> str:
    """Loss of train and of validation by epoch."""
    epochs = [epoch.number for epoch in history]
    train = [epoch.train_loss for epoch in history]
    validation = [epoch.validation_loss for epoch in history]
    figure, axes = _axes(HEIGHT)
    axes.plot(epochs, train, color=FIRST, marker="o", clip_on=False, label="train")
    axes.plot(epochs, validation, color=SECOND, marker="s", linestyle="--", clip_on=False, label="validation")
    highest = max((value for value in train + validation if math.isfinite(value)), default=1.0)
    axes.set_ylim(0, highest * 1.08 or 1.0)
    axes.legend(frameon=False, loc="upper right")
    _label_epochs(axes, epochs)
    lowest = min(history, key=lambda epoch: (math.isnan(epoch.validation_loss), epoch.validation_loss))
    return inline_svg(
        figure,
        "loss",
        "Loss by epoch",
        f"Train from {train[0]:.3g} to {train[-1]:.3g}, validation from {validation[0]:.3g} to "
        f"{validation[-1]:.3g}, lowest in epoch {lowest.number}.",
    )


def score_chart(history: Sequence[Epoch], best: Epoch) -> str:
    """F1 on validation by epoch, with the epoch that was kept."""
    epochs = [epoch.number for epoch in history]
    scores = [epoch.score for epoch in history]
    figure, axes = _axes(HEIGHT)
    axes.plot(epochs, scores, color=FIRST, marker="o")
    finite = [value for value in scores if math.isfinite(value)] or [0.0]
    bottom = max(0.0, math.floor(min(finite) * 10) / 10)
    top = min(1.0, math.floor(max(finite) * 10 + 1) / 10)
    axes.set_ylim(bottom, top + (top - bottom) * 0.16)  # room for the best one's figure
    if math.isfinite(best.score):
        axes.plot([best.number], [best.score], marker="o", markersize=9, color=FIRST, fillstyle="none")
        axes.annotate(
            f"best {score(best.score)}",
            (best.number, best.score),
            xytext=(0, 8),
            textcoords="offset points",
            horizontalalignment="right" if best.number == epochs[-1] else "center",
            color=TEXT,
        )
    _label_epochs(axes, epochs)
    return inline_svg(
        figure,
        "score",
        "Strict F1 on validation by epoch",
        f"From {score(scores[0])} to {score(scores[-1])}; best {score(best.score)} in epoch {best.number}.",
    )


def types_chart(report: Report) -> str:
    """F1 of each type, a bar for validation and one for test."""
    figure, axes = _axes(0.55 + 0.42 * len(report.types))
    axes.grid(visible=False, axis="y")
    rows = range(len(report.types))
    for split, offset, colour in (("validation", -0.19, FIRST), ("test", 0.19, SECOND)):
        known = report.scores[split].types
        values = [known[label].figures.f1 if label in known else 0.0 for label in report.types]
        axes.barh([row + offset for row in rows], values, height=0.34, color=colour, label=split)
        for row, label, value in zip(rows, report.types, values, strict=True):
            text = f"{value:.2f}" if label in known else "no gold"
            axes.text(value + 0.012, row + offset, text, verticalalignment="center", fontsize=9)
    axes.set_yticks(list(rows), [_short(label) for label in report.types])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(report.types) - 0.5, -0.5)
    axes.set_xlim(0, 1.08)
    axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    figure.legend(frameon=False, loc="outside upper right", ncols=2)
    parts = [
        f"{label}: "
        + ", ".join(
            f"{split} {score(report.scores[split].types[label].figures.f1)}"
            for split in report.scores
            if label in report.scores[split].types
        )
        for label in report.types
    ]
    return inline_svg(figure, "types", "Strict F1 by type", "; ".join(parts) + ".")


def _axes(height: float) -> "tuple[Figure, Axes]":
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    FigureCanvasSVG(figure)
    return figure, figure.add_subplot()


def _label_epochs(axes: "Axes", epochs: Sequence[int]) -> None:
    step = max(1, math.ceil(len(epochs) / 12))
    axes.set_xticks(list(epochs)[::step])
    axes.set_xlim(epochs[0] - 0.4, epochs[-1] + 0.4)
    axes.set_xlabel("epoch")


def _short(label: str) -> str:
    return label if len(label) <= 18 else label[:17] + "…"
