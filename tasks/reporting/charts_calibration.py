"""The charts of confidence: how often it is right, and what a threshold on it does."""

from tasks.reporting.calibration import Calibration
from tasks.reporting.svg import FIRST, GRID, SECOND, TEXT, canvas, inline_svg
from tasks.reporting.wording import count, score

HEIGHT = 3.0  # inches


def reliability_chart(calibration: Calibration) -> str:
    """Share of right entities against their confidence; the diagonal is a model whose word can be taken."""
    bins = [own for own in calibration.bins if own.count]
    figure, axes = canvas(HEIGHT)
    axes.plot([0, 1], [0, 1], color=TEXT, linestyle=":", linewidth=1.2)
    most = max((own.count for own in bins), default=1)
    places = [own.confidence for own in bins]
    axes.bar(places, [0.3 * own.count / most for own in bins], width=0.035, color=GRID, linewidth=0)
    axes.plot(places, [own.accuracy for own in bins], color=FIRST, marker="o")
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(0, 1.04)
    axes.set_xlabel("confidence")
    axes.set_ylabel("share that is right")
    parts = [f"at {own.confidence:.2f} {own.accuracy:.2f} of {count(own.count, 'answer')} are right" for own in bins]
    return inline_svg(figure, "reliability", "Reliability of the confidence on validation", "; ".join(parts) + ".")


def thresholds_chart(calibration: Calibration) -> str:
    """Precision and recall of the answers with at least some confidence."""
    lines = calibration.thresholds
    places = [line.confidence for line in lines]
    figure, axes = canvas(HEIGHT)
    axes.plot(places, [line.precision for line in lines], color=FIRST, label="precision")
    axes.plot(places, [line.recall for line in lines], color=SECOND, linestyle="--", label="recall")
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(0, 1.04)
    axes.set_xlabel("least confidence that is kept")
    axes.legend(frameon=False, loc="lower left")
    chosen = [lines[round(share * (len(lines) - 1))] for share in (0, 0.5, 1)]
    parts = [
        f"from {line.confidence:.2f} on precision {score(line.precision)}, recall {score(line.recall)}"
        for line in chosen
    ]
    return inline_svg(
        figure, "thresholds", "Precision and recall over a threshold on confidence", "; ".join(parts) + "."
    )
