"""A share of train's documents, for learning curves and cheap trials."""

import hashlib
import math
from collections.abc import Sequence

from tasks.records import Example


def share_of_train(examples: Sequence[Example], share: float, seed: int) -> list[Example]:
    """The examples of ``ceil(share * documents)`` documents, in their order; an example without one stands for itself.

    Each document has a place in a line that depends on seed and name alone (SHA-256), and the first ones are taken. So
    a smaller share is part of a larger one, and a document that is added to train changes the order of no others.

    Args:
        examples: of train.
        share: over 0 to 1; 1 leaves everything as it is.
    """
    if share == 1:
        return list(examples)
    documents = dict.fromkeys(map(_document, examples))
    line = sorted(documents, key=lambda name: hashlib.sha256(f"{seed}\n{name}".encode()).digest())
    # 0.7 * 10 is a little more than 7 to a processor
    chosen = set(line[: math.ceil(share * len(line) - 1e-9)])
    return [example for example in examples if _document(example) in chosen]


def _document(example: Example) -> str:
    """A name that is the same for the examples of one document and for no other one's."""
    file = example.id.rpartition(":")[0]
    return f"{file}\n{example.document}" if example.document is not None else example.id
