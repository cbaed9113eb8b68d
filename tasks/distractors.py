"""Wrong responses that a history's own one is chosen among: drawn once by seed, and kept with the example.

They stand in the prepared examples, so that every model, every seed of training and every baseline is asked the same.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

from tasks.records import Example

COUNT = 9  # distractors of each response: recall@1 of 10
FEW = 64  # rows that are drawn at first; they nearly always hold enough

Pool = Sequence[tuple[str, Example]]  # wording and example


def with_candidates(
    examples: Iterable[Example], *, near: Literal["service", "split"], seed: int, count: int = COUNT
) -> Iterator[Example]:
    """The examples of a split, each with ``candidates`` in its inputs: its target and ``count`` others, shuffled.

    Distractors are targets of other examples, of another dialogue, none in the words of the target or of each other
    (case and white space aside). Where a split has too few, dialogues and services of the example itself help out, and
    at last there are fewer. What is drawn for an example follows from seed and split.

    Args:
        examples: all of the split; their targets are held in memory.
        near: ``service`` draws from the same service as long as it has enough.
    """
    whole = [(wording(example.target["text"]), example) for example in examples]
    services: dict[str, list[tuple[str, Example]]] = {}
    for one in whole:
        services.setdefault(one[1].target["service"], []).append(one)
    for words, example in whole:
        source = random.Random(f"{seed} {example.id}")
        chosen: dict[str, Any] = {words: example.target}
        if near == "service":
            _draw(chosen, services[example.target["service"]], source, count, example, apart=True)
        _draw(chosen, whole, source, count, example, apart=True)
        _draw(chosen, whole, source, count, example, apart=False)
        candidates = list(chosen.values())
        source.shuffle(candidates)
        yield replace(example, inputs={**example.inputs, "candidates": candidates})


def wording(text: str) -> str:
    """What two responses have in common that are the same: their words without case and white space."""
    return " ".join(text.casefold().split())


def _draw(
    chosen: dict[str, Any], pool: Pool, source: random.Random, count: int, example: Example, *, apart: bool
) -> None:
    """Fill ``chosen`` up to ``count`` distractors from ``pool``; ``apart`` asks for another dialogue."""
    for most in (FEW, len(pool)):
        for place in source.sample(range(len(pool)), min(most, len(pool))):
            if len(chosen) > count:
                return
            words, other = pool[place]
            if not apart or other.document is None or _dialogue(other) != _dialogue(example):
                chosen.setdefault(words, other.target)


def _dialogue(example: Example) -> tuple[str, str | None]:
    """Dialogues of two raw files are two, whatever their names."""
    return example.id.rpartition(":")[0], example.document
