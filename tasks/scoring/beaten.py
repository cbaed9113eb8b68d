"""By how much the model beats its best baseline, in words; what the numbers are tasks/scoring/beside.py says."""

from collections.abc import Mapping
from typing import Any


def beaten(scores: Mapping[str, Any]) -> str:
    """A sentence without its subject's article: ``model beats its best baseline (majority) by 0.1 [+0.05, +0.15]``."""
    by, low, high = (scores[f"over_baseline{ending}"] for ending in ("", "_low", "_high"))
    if low > 0:
        verdict = f"beats its best baseline ({scores['best_baseline']}) by {by:.4f}"
    elif high < 0:
        verdict = f"is worse than the baseline {scores['best_baseline']} by {-by:.4f}"
    else:
        verdict = f"is not shown to beat the baseline {scores['best_baseline']}: {by:+.4f}"
    return f"model {verdict} [{low:+.4f}, {high:+.4f}]"
