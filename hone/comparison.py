"""What `hone diff` found, as one value, and its words."""

from dataclasses import asdict, dataclass
from typing import Any

from tasks.verdict import Judgement


@dataclass(frozen=True)
class Difference:
    """Two sides and the judgement of the second against the first.

    Attributes:
        before: labels of the revisions of the first side, one per seed.
        params: ``(old, new)`` by dotted key, of what differs.
        inputs: the same of data, code and versions, by path; values are the first digits of md5.
        notes: sentences that a reader must know.
    """

    before: list[str]
    after: list[str]
    params: dict[str, tuple[str, str]]
    inputs: dict[str, tuple[str, str]]
    notes: list[str]
    judgement: Judgement

    def as_json(self, failed: list[str] | None) -> dict[str, Any]:
        """Plain values; ``gate`` is None where no gate was asked."""
        rest = {key: value for key, value in asdict(self).items() if key != "judgement"}
        return {**rest, **self.judgement.as_json(), "words": words(self.judgement), "gate": failed}


def words(judgement: Judgement) -> str:
    """The verdict as one sentence."""
    one, name = judgement.headline, judgement.name
    change = f"{name} {one.difference:+.4f}, 95 % interval {one.low:+.4f} to {one.high:+.4f}, p {probability(one.p)}"
    visible = (
        f"on {one.groups} {judgement.unit} a true difference of {one.detectable:.3f} is found in about 80 % of cases, "
        "a smaller one less often"
    )
    return {
        "better": f"Better: {change}.",
        "worse": f"Worse: {change}.",
        "no evidence": f"No evidence of a difference: {change}; {visible}.",
        "too few data": f"Too few data to tell: {change}; {visible}.",
    }[one.verdict]


def probability(value: float) -> str:
    """A p-value for a person."""
    return f"{value:.4f}" if value >= 0.001 else "< 0.001"
