"""The gates of params.yaml: what a model must reach before it may land."""

from collections.abc import Mapping

from tasks.params import Gate
from tasks.scoring.paired import Comparison
from tasks.verdict import Judgement


def failures(judgement: Judgement, gate: Gate) -> list[str]:
    """One line per gate that the second side fails, with its key in params.yaml; empty when all pass."""
    headline = judgement.headline
    failed = []
    if headline.after < gate.minimum:
        failed.append(f"gate.minimum: {judgement.name} {headline.after:.4f} is below {gate.minimum:g}")
    if gate.no_loss and headline.verdict == "worse":
        failed.append(f"gate.no_loss: {judgement.name} is worse, {headline.difference:+.4f} (p {headline.p:.4f})")
    failed += _below("types", judgement.types, gate.types)
    failed += _below("slices", judgement.slices, gate.slices)
    return failed


def _below(block: str, found: Mapping[str, Comparison], floors: Mapping[str, float]) -> list[str]:
    """Floors that are missed; one for something that test has not fails too, or a typing mistake would pass."""
    failed = []
    for name, floor in floors.items():
        if name not in found:
            failed.append(f"gate.{block}.{name}: test has no such thing; there are: {', '.join(found) or 'none'}")
        elif found[name].after < floor:
            failed.append(f"gate.{block}.{name}: {found[name].after:.4f} is below {floor:g}")
    return failed
