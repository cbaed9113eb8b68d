"""All charts of the page; here those of learning, loss and score by epoch."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tasks.reporting.charts_calibration import reliability_chart, thresholds_chart
from tasks.reporting.charts_scores import headline_chart, kinds_chart, types_chart
from tasks.reporting.gather import Report
from tasks.reporting.history import Epoch
from tasks.reporting.svg import FIRST, SECOND, TEXT, canvas, drawing, inline_svg
from tasks.reporting.wording import score, sentence

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEIGHT = 2.7  # inches


def charts(report: Report) -> dict[str, str]:
    """Inline SVG by name; those of which the run has nothing to show are left out."""
    with drawing():
        drawn = {
            "headline": headline_chart(report),
            "loss": loss_chart(report.history),
            "score": score_chart(report.history, report.best, report.wording.strict),
        }
        if report.types:
            drawn["types"] = types_chart(report)
        if report.focus.of("kind"):
            drawn["kinds"] = kinds_chart(report.focus, report.wording.strict)
        if report.calibration.bins:
            drawn["reliability"] = reliability_chart(report.calibration)
        if report.calibration.thresholds:
            drawn["thresholds"] = thresholds_chart(report.calibration)
    return drawn


def loss_chart(history: Sequence[Epoch]) -> str:
    """Loss of train and of validation by epoch."""
    epochs = [epoch.number for epoch in history]
    train = [epoch.train_loss for epoch in history]
    validation = [epoch.validation_loss for epoch in history]
    figure, axes = canvas(HEIGHT)
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


def score_chart(history: Sequence[Epoch], best: Epoch, figure_name: str) -> str:
    """F1 on validation by epoch, with the epoch that was kept."""
    epochs = [epoch.number for epoch in history]
    scores = [epoch.score for epoch in history]
    figure, axes = canvas(HEIGHT)
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
        f"{sentence(figure_name)} on validation by epoch",
        f"From {score(scores[0])} to {score(scores[-1])}; best {score(best.score)} in epoch {best.number}.",
    )


def _label_epochs(axes: "Axes", epochs: Sequence[int]) -> None:
    step = max(1, math.ceil(len(epochs) / 12))
    axes.set_xticks(list(epochs)[::step])
    axes.set_xlim(epochs[0] - 0.4, epochs[-1] + 0.4)
    axes.set_xlabel("epoch")
