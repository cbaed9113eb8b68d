"""Which type is taken for which: gold entities against predicted ones."""

import csv
from collections.abc import Sequence
from pathlib import Path

from tasks.records import Prediction
from tasks.scoring.selection import strict_spans

NONE = "none"


def confusion(predictions: Sequence[Prediction]) -> list[tuple[str, str]]:
    """One pair (gold type, predicted type) for every gold and every unmatched predicted entity.

    An entity is matched with the one of the other side that shares most words with it, exact ones first; ``none``
    stands for a missed or a spurious one.
    """
    pairs = []
    for prediction in predictions:
        gold, predicted = strict_spans(prediction.gold), strict_spans(prediction.predicted)
        overlaps = sorted(
            (-(min(g[1], p[1]) - max(g[0], p[0])), abs(g[0] - p[0]) + abs(g[1] - p[1]), g[2] != p[2], g, p)
            for g in gold
            for p in predicted
            if min(g[1], p[1]) > max(g[0], p[0])
        )
        for *_, g, p in overlaps:
            if g in gold and p in predicted:
                gold.discard(g)
                predicted.discard(p)
                pairs.append((g[2], p[2]))
        pairs += [(g[2], NONE) for g in sorted(gold)]
        pairs += [(NONE, p[2]) for p in sorted(predicted)]
    return pairs


def write_confusion(path: Path, pairs: Sequence[tuple[str, str]]) -> None:
    """A CSV that DVC's confusion template reads: columns gold and predicted, sorted, one line per pair."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("gold", "predicted"))
        writer.writerows(sorted(pairs))
