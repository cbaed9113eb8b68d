"""The most probable sequence of tags that IOB2 allows: I-X stands only after B-X or I-X."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FLOOR = 1e-12  # probability below which words do not differ
CELLS = 2**20  # sentences * classes * classes that are looked at together, 8 bytes each


def is_valid(tags: Sequence[str]) -> bool:
    """Whether every I- goes on with an entity of its type."""
    before = "O"
    for tag in tags:
        if tag.startswith("I-") and before[2:] != tag[2:]:
            return False
        before = tag
    return True


def best_valid(rows: "NDArray[np.float32]", lengths: Sequence[int], classes: Sequence[str]) -> "NDArray[np.intp]":
    """The most probable valid tags of each sentence, whose words are independent but for what IOB2 forbids.

    Where the most probable tag of each word already makes a valid sequence, that is the answer, else what Viterbi
    (1967) finds.

    Args:
        rows: probabilities of the words of all sentences one after the other, (n, classes).
        lengths: words of each sentence; n together.
        classes: names of the classes, O and IOB2 tags.

    Returns:
        Class index of each word (n,).
    """
    import numpy as np

    counts = np.asarray(lengths, dtype=np.intp)
    ends = counts.cumsum()
    firsts = ends - counts
    inner = np.array([tag.startswith("I-") for tag in classes])
    forbidden = np.array([[tag[:2] == "I-" and before[2:] != tag[2:] for tag in classes] for before in classes])
    chosen: NDArray[np.intp] = rows.argmax(axis=1)
    wrong = forbidden[np.roll(chosen, 1), chosen]
    begins = firsts[counts > 0]
    wrong[begins] = inner[chosen[begins]]
    broken = np.unique(np.repeat(np.arange(len(counts)), counts)[wrong])
    broken = broken[np.argsort(-counts[broken], kind="stable")]
    size = max(1, CELLS // len(classes) ** 2)
    for start in range(0, len(broken), size):
        some = broken[start : start + size]
        words = firsts[some, None] + np.arange(counts[some[0]])
        there = words < ends[some, None]
        scores = np.log(np.maximum(rows[np.where(there, words, 0)], FLOOR))
        chosen[words[there]] = _viterbi(scores, counts[some], forbidden, inner)[there]
    return chosen


def _viterbi(
    scores: "NDArray[np.float32]",
    counts: "NDArray[np.intp]",
    forbidden: "NDArray[np.bool_]",
    inner: "NDArray[np.bool_]",
) -> "NDArray[np.intp]":
    """Best classes (B, T) for log-probabilities (B, T, C) of sentences of ``counts`` words, the longest first."""
    import numpy as np

    allowed = np.where(forbidden, -np.inf, 0.0)  # from, to
    batch, longest, width = scores.shape
    best = scores[:, 0] + np.where(inner, -np.inf, 0.0)
    back = np.zeros((longest, batch, width), dtype=np.intp)
    alive = [int((counts > word).sum()) for word in range(longest)]  # sentences that are so long: the first ones
    for word in range(1, longest):
        going = alive[word]
        paths = best[:going, :, None] + allowed
        back[word, :going] = paths.argmax(axis=1)
        best[:going] = paths.max(axis=1) + scores[:going, word]
    path = np.zeros((batch, longest), dtype=np.intp)
    at = best.argmax(axis=1)
    for word in range(longest - 1, -1, -1):
        going = alive[word]
        path[:going, word] = at[:going]
        at[:going] = back[word, np.arange(going), at[:going]]
    return path
