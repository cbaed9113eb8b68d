"""The figure on validation by which the best epoch is chosen: a function of the name of each adapter's headline.

finetune imports no other scoring, so that a change elsewhere does not train anything anew.
"""

from collections import Counter
from collections.abc import Sequence


def entity_f1(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> float:
    """Micro F1 over entities, between 0 and 1: strict IOB2 as seqeval defines it; 0 where nothing is right.

    An entity counts when its first word, last word and type are right and it starts with B-.

    Args:
        gold: IOB2 tags of each sentence.
        predicted: same shape.
    """
    right = in_gold = in_predicted = 0
    for gold_tags, predicted_tags in zip(gold, predicted, strict=True):
        gold_spans, predicted_spans = strict_spans(gold_tags), strict_spans(predicted_tags)
        in_gold += len(gold_spans)
        in_predicted += len(predicted_spans)
        right += len(gold_spans & predicted_spans)
    return 2 * right / (in_gold + in_predicted) if right else 0.0


def macro_f1(gold: Sequence[str | Sequence[str]], predicted: Sequence[str | Sequence[str]]) -> float:
    """Mean F1 of the classes that gold has, between 0 and 1; each text has one class or a list of them.

    A class that is only predicted makes the precision of none worse, but lacks where it stands instead of another.
    """
    right, in_gold, in_predicted = Counter[str](), Counter[str](), Counter[str]()
    for one, other in zip(gold, predicted, strict=True):
        wanted, given = label_set(one), label_set(other)
        in_gold.update(wanted)
        in_predicted.update(given)
        right.update(wanted & given)
    return sum(2 * right[name] / (in_gold[name] + in_predicted[name]) for name in in_gold) / max(len(in_gold), 1)


def label_set(labels: str | Sequence[str]) -> set[str]:
    """One label or several as a set."""
    return {labels} if isinstance(labels, str) else set(labels)


def strict_spans(tags: Sequence[str]) -> set[tuple[int, int, str]]:
    """Entities as (first word, last word + 1, type); I- without a fitting B- or I- before it starts none."""
    spans = set()
    start, label = -1, ""
    for index, tag in enumerate((*tags, "O")):
        if label and tag != f"I-{label}":
            spans.add((start, index, label))
            label = ""
        if tag.startswith("B-"):
            start, label = index, tag[2:]
    return spans
