"""The most probable sequence of tags that IOB2 allows: I-X stands only after B-X or I-X."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FLOOR = 1e-12  # probability below which words do not differ


def is_valid(tags: Sequence[str]) -> bool:
    """Whether every I- goes on with an entity of its type."""
    before = "O"
    for tag in tags:
        if tag.startswith("I-") and before[2:] != tag[2:]:
            return False
        before = tag
    return True


def best_valid(rows: "Sequence[NDArray[np.float32] | None]", classes: Sequence[str]) -> list[int]:
    """Viterbi (1967) over the words of one sentence, which are independent but for what IOB2 forbids.

    Where the most probable tag of each word already makes a valid sequence, that sequence is the answer; call it for
    the others.

    Args:
        rows: probability of each class for each word, shape (classes,); None for a word that is O.
        classes: names of the classes, O and IOB2 tags.

    Returns:
        Class index of each word.
    """
    import numpy as np

    outside = np.eye(len(classes), dtype=np.float32)[classes.index("O")]
    scores = np.log(np.maximum(np.stack([outside if row is None else row for row in rows]), FLOOR))
    allowed = np.zeros((len(classes), len(classes)))  # from, to
    start = np.zeros(len(classes))
    for index, tag in enumerate(classes):
        if tag.startswith("I-"):
            allowed[[before[2:] != tag[2:] for before in classes], index] = -np.inf
            start[index] = -np.inf
    best = scores[0] + start
    back = []
    for row in scores[1:]:
        paths = best[:, None] + allowed
        back.append(paths.argmax(axis=0))
        best = paths.max(axis=0) + row
    path = [int(best.argmax())]
    for pointers in reversed(back):
        path.append(int(pointers[path[-1]]))
    return path[::-1]
