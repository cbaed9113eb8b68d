"""Whether what a model is asked, and what it answers, is still as it was on the data that it was made with.

Shares of labels are compared by the chi-squared test of homogeneity (Pearson 1900), rare labels taken together (Cochran
1954), and so is the share of unknown words; a surge of one label by Fisher's exact test (1922); confidences and lengths
by the two-sample Kolmogorov-Smirnov test. The p-values of one comparison are adjusted for their number (Holm 1979).

Enough texts make any difference significant, so a drift must also be large. Labels and words of one text come together,
which the tests of shares do not know: another reason not to go by p alone.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

NOTHING = "(nothing)"  # stands among the labels for a text in which nothing was found
OTHERS = "(others)"
EXPECTED = 5.0  # observations of a label on the smaller side, by the shares of both together: fewer are taken together
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")  # characters without spaces: each


@dataclass
class Sample:
    """Texts and what was answered to them.

    Attributes:
        texts: how many.
        labels: how often each label was given, NOTHING for a text without any.
        confidence: of each answer, 0 to 1.
        unknown: words that train does not have, of all texts together.
        length: words per text.
    """

    texts: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    confidence: list[float] = field(default_factory=list)
    unknown: int = 0
    length: list[int] = field(default_factory=list)

    def add(
        self, labels: Sequence[str], confidence: Sequence[float], text: str | None, vocabulary: frozenset[str]
    ) -> None:
        """One more text; None where only the answers are known."""
        self.texts += 1
        self.labels.update(labels or [NOTHING])
        self.confidence += [round(value, 6) for value in confidence]  # as files have them: a last bit is no difference
        if text is not None and (found := words(text)):
            self.unknown += sum(word not in vocabulary for word in found)
            self.length.append(len(found))

    def share(self, label: str) -> float:
        """Of all labels given; 0 of nothing."""
        return self.labels[label] / max(1, self.labels.total())


@dataclass(frozen=True)
class Finding:
    """One comparison.

    Attributes:
        what: labels, confidence, unknown words, length, or ``surge of LABEL``.
        before, after: what it was and is, in words.
        effect: 0 to 1: of shares half the sum of their differences; of confidence and length the largest difference
            between the two cumulative distributions.
        p: adjusted.
        drifted: whether it is sure and large.
    """

    what: str
    before: str
    after: str
    effect: float
    p: float
    drifted: bool = False


def words(text: str) -> list[str]:
    """Its words in lower case; each character of a script without spaces."""
    return WORD.findall(text.lower())


def drift(reference: Sample, now: Sample, *, level: float, shift: float, surge: float) -> list[Finding]:
    """How ``now`` differs from ``reference``.

    Args:
        level: of the adjusted p, below which a difference is sure.
        shift: smallest effect that matters, 0 to 1.
        surge: how many times its share before a label must have for an alarm of its own.
    """
    found = [
        *_labels(reference, now),
        *_unknown(reference, now),
        *_distribution("confidence", reference.confidence, now.confidence),
        *_distribution("length", reference.length, now.length),
    ]
    large = [one.effect >= shift for one in found]
    for label in sorted(now.labels):
        before, after = reference.share(label), now.share(label)
        if label != NOTHING and after > before:
            found.append(_surge(label, reference, now))
            large.append(after >= surge * before)
    adjusted = holm([one.p for one in found])
    return [replace(one, p=p, drifted=p < level and much) for one, p, much in zip(found, adjusted, large, strict=True)]


def holm(values: Sequence[float]) -> list[float]:
    """p-values adjusted so that the chance of any false alarm among them is kept (Holm 1979)."""
    adjusted, largest = [0.0] * len(values), 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        largest = max(largest, min(1.0, values[index] * (len(values) - rank)))
        adjusted[index] = largest
    return adjusted


def _labels(reference: Sample, now: Sample) -> list[Finding]:
    smaller = min(reference.labels.total(), now.labels.total())
    both = reference.labels + now.labels
    table: dict[str, list[int]] = {}
    for label in sorted(both):
        rare = both[label] / both.total() * smaller < EXPECTED
        row = table.setdefault(OTHERS if rare else label, [0, 0])
        row[0] += reference.labels[label]
        row[1] += now.labels[label]
    if len(table) < 2 or not smaller:
        return []
    counts = np.array(list(table.values()), dtype=np.float64)
    shares = counts / counts.sum(axis=0)
    moves = np.abs(shares[:, 1] - shares[:, 0])
    label, (old, new) = list(table)[int(moves.argmax())], shares[moves.argmax()]
    effect = float(moves.sum() / 2)
    return [Finding("labels", f"{label} {100 * old:.1f} %", f"{label} {100 * new:.1f} %", effect, _homogeneity(counts))]


def _unknown(reference: Sample, now: Sample) -> list[Finding]:
    all_ = np.array([sum(side.length) for side in (reference, now)], dtype=np.float64)
    unknown = np.array([reference.unknown, now.unknown], dtype=np.float64)
    if not all_.all():
        return []
    old, new = unknown / all_
    p = _homogeneity(np.array([unknown, all_ - unknown]))
    return [Finding("unknown words", f"{100 * old:.1f} %", f"{100 * new:.1f} %", float(abs(new - old)), p)]


def _homogeneity(counts: NDArray[np.float64]) -> float:
    """p of counts (labels, 2) having the same shares in both columns; 1 where there is one label alone."""
    from scipy.stats import chi2_contingency

    seen = counts[counts.sum(axis=1) > 0]
    return float(chi2_contingency(seen, correction=False).pvalue) if len(seen) > 1 else 1.0


def _distribution(what: str, before: Sequence[float], after: Sequence[float]) -> list[Finding]:
    from scipy.stats import ks_2samp

    if not before or not after:
        return []
    found = ks_2samp(before, after, method="asymp")
    old, new = (f"{np.mean(side):.3g} on average" for side in (before, after))
    return [Finding(what, old, new, float(found.statistic), float(found.pvalue))]


def _surge(label: str, reference: Sample, now: Sample) -> Finding:
    from scipy.stats import fisher_exact

    table = [[side.labels[label], side.labels.total() - side.labels[label]] for side in (now, reference)]
    before, after = reference.share(label), now.share(label)
    p = float(fisher_exact(table, alternative="greater").pvalue)
    return Finding(f"surge of {label}", f"{100 * before:.1f} %", f"{100 * after:.1f} %", after - before, p)
