"""Names swapped for others of the same type: a model that reads the sentence and not the name answers the same.

The invariance test of Ribeiro et al. (2020), "Beyond Accuracy: Behavioral Testing of NLP Models with CheckList".
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from tasks.records import Example, Prediction
from tasks.scoring.cases import Place
from tasks.scoring.occurrences import Form, Occurrences, words_of
from tasks.scoring.selection import strict_spans

Pattern = tuple[tuple[int, int, str], ...]  # side of each edge (-1 before, 0 on, 1 after the gold one's) and type


def swapped(
    examples: Sequence[Example], facts: Occurrences, seed: int, most: int
) -> tuple[list[Example], list[Example]]:
    """At most ``most`` sentences with entities, and the same with every gold entity swapped, in the order of the data.

    A name becomes another name that train has of its type, of as many words if there is one; in one run the same name
    always becomes the same other one, so that a document stays consistent. Which sentences and names is decided by
    hashes of seed, id and name: one more sentence changes nothing for the others. An entity whose type has no other
    name in train stays; sentences in which all stay are left out.
    """
    originals, variants = [], []
    for example in examples:
        variant = _swap(example, facts, seed)
        if variant.inputs["words"] != example.inputs["words"]:
            originals.append(example)
            variants.append(variant)
    order = sorted(range(len(originals)), key=lambda index: _hash(seed, originals[index].id))
    chosen = sorted(order[:most])
    return [originals[index] for index in chosen], [variants[index] for index in chosen]


def variation(
    originals: Sequence[Example],
    before: Sequence[Prediction],
    variants: Sequence[Example],
    after: Sequence[Prediction],
) -> dict[str, Any]:
    """How many swapped entities got another answer: other boundaries against the entity's own, or another type.

    Returns:
        ``sentences``; ``swapped`` entities, of which ``changed``; of these ``lost`` were right before and are not
        after, ``gained`` the other way round; ``share`` of changed; the same counts ``per_type``.
    """
    per_type: dict[str, dict[str, int]] = {}
    for one, other, first, second in zip(originals, variants, before, after, strict=True):
        pairs = zip(sorted(strict_spans(one.target)), sorted(strict_spans(other.target)), strict=True)
        for place, new in pairs:
            if words_of(one, *place[:2]) == words_of(other, *new[:2]):
                continue
            was, became = _pattern(place, first.predicted), _pattern(new, second.predicted)
            right = ((0, 0, place[2]),)
            counts = per_type.setdefault(place[2], dict.fromkeys(("swapped", "changed", "lost", "gained"), 0))
            counts["swapped"] += 1
            counts["changed"] += was != became
            counts["lost"] += was == right != became
            counts["gained"] += became == right != was
    totals = {key: sum(counts[key] for counts in per_type.values()) for key in ("swapped", "changed", "lost", "gained")}
    share = round(totals["changed"] / totals["swapped"], 6) if totals["swapped"] else 0.0
    return {"sentences": len(originals), **totals, "share": share, "per_type": dict(sorted(per_type.items()))}


def _swap(example: Example, facts: Occurrences, seed: int) -> Example:
    words, tags, last = [], [], 0
    for start, end, label in sorted(strict_spans(example.target)):
        form = other_name(words_of(example, start, end), label, facts, seed)
        words += [*example.inputs["words"][last:start], *form]
        tags += [*example.target[last:start], f"B-{label}", *[f"I-{label}"] * (len(form) - 1)]
        last = end
    words += example.inputs["words"][last:]
    tags += example.target[last:]
    return Example(example.id, example.document, {"words": words}, tags)


def other_name(form: Form, label: str, facts: Occurrences, seed: int) -> Form:
    """Another name of the type in train, chosen by hash; the name itself where there is none."""
    others = [name for name in facts.names.get(label, ()) if name != form]
    fitting = [name for name in others if len(name) == len(form)] or others
    return fitting[_hash(seed, label, *form) % len(fitting)] if fitting else form


def _pattern(place: Place, tags: Sequence[str]) -> Pattern:
    """What was predicted over a gold place: each entity that shares a word with it, relative to its edges."""
    start, end, _ = place
    return tuple(
        (_sign(first - start), _sign(last - end), label)
        for first, last, label in sorted(strict_spans(tags))
        if min(end, last) > max(start, first)
    )


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


def _hash(*parts: object) -> int:
    text = "\x1f".join(map(str, parts))
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
