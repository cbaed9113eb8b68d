"""Whether confidence means what it says: of the answers given with 0.8, are 80 % right? And a temperature that helps.

Everything here reads two arrays: the confidence of each answer that was given (an entity, a label) and whether it was
right. Which answers a task gives, and how sure it is of one, is its scorer's affair.

The temperature T works on the question "is this answer right?": ``p^(1/T) / (p^(1/T) + (1 - p)^(1/T))``, which is the
softmax of the logits of yes and no divided by T (Guo et al. 2017), exactly. It is no temperature of the model's own
logits over all classes: that needs all of them, does not exist for a chain of tags, and calibrates words instead of
answers. It changes no answer and no order, and leaves 0.5 where it is.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BINS = 10  # of equal width
EDGE = 1e-6  # confidences nearer to 0 or 1 than what is written (six decimals) are taken as this far
THRESHOLDS = [number / 20 for number in range(20)]


def scaled(confidence: Floats, temperature: float) -> Floats:
    """The confidences at a temperature; above 1 they come nearer to 0.5. Exact 0 and 1 stay."""
    inside = np.clip(confidence, EDGE, 1 - EDGE)
    moved = 1 / (1 + ((1 - inside) / inside) ** (1 / temperature))
    result: Floats = np.where((confidence <= 0) | (confidence >= 1), confidence, moved)
    return result


def log_loss(confidence: Floats, right: NDArray[np.bool_]) -> float:
    """Mean negative log-likelihood of right and wrong, in nats; 0 of nothing."""
    inside = np.clip(confidence, EDGE, 1 - EDGE)
    return float(-np.log(np.where(right, inside, 1 - inside)).mean()) if len(right) else 0.0


def fit_temperature(confidence: Floats, right: NDArray[np.bool_]) -> float:
    """The temperature between 0.1 and 10 with the least log-loss; 1 where all or none are right, which fits none.

    The loss is convex in 1 / T, so a golden-section search finds its minimum.
    """
    if not right.any() or right.all():
        return 1.0
    ratio = (5**0.5 - 1) / 2
    low, high = 0.1, 10.0  # of 1 / T
    for _ in range(60):
        one, other = high - ratio * (high - low), low + ratio * (high - low)
        if log_loss(scaled(confidence, 1 / one), right) < log_loss(scaled(confidence, 1 / other), right):
            high = other
        else:
            low = one
    return round(2 / (low + high), 6)


def curve(confidence: Floats, right: NDArray[np.bool_]) -> list[dict[str, float | int]]:
    """The reliability curve: bins of equal width that hold an answer, with mean confidence and share of right ones.

    ``low`` and ``high`` are the 95 % interval of that share (Wilson 1927).
    """
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    rows: list[dict[str, float | int]] = []
    for number in np.unique(bins).tolist():
        inside = bins == number
        count, share, z = int(inside.sum()), float(right[inside].mean()), 1.959964
        middle = (share + z * z / (2 * count)) / (1 + z * z / count)
        half = z / (1 + z * z / count) * (share * (1 - share) / count + z * z / (4 * count * count)) ** 0.5
        rows.append(
            {
                "confidence": round(float(confidence[inside].mean()), 6),
                "accuracy": round(share, 6),
                "low": round(max(middle - half, 0.0), 6),
                "high": round(min(middle + half, 1.0), 6),
                "count": count,
            }
        )
    return rows


def expected_error(confidence: Floats, right: NDArray[np.bool_]) -> float:
    """Expected calibration error: mean distance of confidence and share of right ones over the bins, by their size.

    Naeini et al. 2015, with BINS bins of equal width; 0 of nothing.
    """
    rows = curve(confidence, right)
    return sum(row["count"] * abs(row["confidence"] - row["accuracy"]) for row in rows) / max(len(right), 1)


def brier(confidence: Floats, right: NDArray[np.bool_]) -> float:
    """Mean squared distance of confidence and right (1) or wrong (0), Brier 1950; 0 of nothing."""
    return float(((confidence - right) ** 2).mean()) if len(right) else 0.0


def thresholds(confidence: Floats, right: NDArray[np.bool_], gold: int) -> list[dict[str, float | int]]:
    """Precision, recall and F1 of the answers whose confidence is at least each of THRESHOLDS.

    Args:
        gold: how many answers there should be.
    """
    rows: list[dict[str, float | int]] = []
    for threshold in THRESHOLDS:
        kept = confidence >= threshold
        count, good = int(kept.sum()), int(right[kept].sum())
        rows.append(
            {
                "confidence": threshold,
                "precision": round(good / max(count, 1), 6),
                "recall": round(good / max(gold, 1), 6),
                "f1": round(2 * good / max(count + gold, 1), 6),
                "count": count,
            }
        )
    return rows


def figures(confidence: Floats, right: NDArray[np.bool_], temperature: float) -> dict[str, float]:
    """ECE and Brier score of the model's own confidence and, as ``_calibrated``, at the temperature."""
    calibrated = scaled(confidence, temperature)
    return {
        "brier": round(brier(confidence, right), 6),
        "brier_calibrated": round(brier(calibrated, right), 6),
        "ece": round(expected_error(confidence, right), 6),
        "ece_calibrated": round(expected_error(calibrated, right), 6),
    }


def describe(confidence: Floats, right: NDArray[np.bool_], gold: int) -> dict[str, Any]:
    """What data/calibration.json holds: the temperature that fits, both curves, and what a threshold would do.

    The thresholds are over the calibrated confidence, which is what prediction shows. Figures of the answers that the
    temperature was fitted on flatter it a little; the metrics of test do not.
    """
    temperature = fit_temperature(confidence, right)
    calibrated = scaled(confidence, temperature)
    return {
        "answers": len(right),
        "bins": BINS,
        "curve": curve(confidence, right),
        "curve_calibrated": curve(calibrated, right),
        "fitted_on": "validation",
        "temperature": temperature,
        "thresholds": thresholds(calibrated, right, gold),
        **figures(confidence, right, temperature),
    }


def write_curve(path: Path, rows: Sequence[dict[str, float | int]]) -> None:
    """A CSV that DVC's plots read: one line per bin, ``confidence`` against ``accuracy``."""
    names = ["confidence", "accuracy", "low", "high", "count"]
    lines = [",".join(names), *(",".join(str(row[name]) for name in names) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
