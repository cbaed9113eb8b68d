"""Is the second model better than the first? Paired tests over the counts of a `Measure`, and the verdict in words.

Both models answered the same items, so every resample takes the same documents for both. Three sources:

- The interval of the difference: bootstrap over documents (Koehn 2004; Berg-Kirkpatrick et al. 2012).
- The p-value: approximate randomization, which swaps the two answers to a document at random (Noreen 1989; Yeh 2000),
  with ``(hits + 1) / (resamples + 1)``.
- Several seeds on a side: seeds and documents are resampled together (Owen 2007, "The pigeonhole bootstrap"). Two or
  three seeds resampled as they are understate their spread, so what a seed does is drawn from the residuals of all.

"Better" and "worse" need both tests. `benchmarks/verdict_simulation.py` measures how often they are wrong.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tasks.errors import UserError

Counts = NDArray[np.float64]
Figure = Callable[[Counts], Counts]
Verdict = Literal["better", "worse", "no evidence", "too few data"]

OUTSIDE = 0.05  # share of the resamples that the interval leaves out
LEVEL = 0.04  # of p: under 5 %, so that 1,000 equal pairs show at most 5 % in spite of chance
VISIBLE = (2.0537 + 0.8416) / 1.9600  # normal quantiles for a two-sided test at LEVEL, 80 % power; half an interval
FEWEST = 6  # documents: with 5 the smallest two-sided p of swapping, 2 / 2**5, is above LEVEL
CHUNK = 2_000_000  # weights in memory at once


@dataclass(frozen=True)
class Comparison:
    """Two models, or two groups of models, on the same items.

    Attributes:
        before: figure of the first, the mean over its seeds.
        after: figure of the second.
        low: lower end of the 95 % interval of ``after - before``.
        high: its upper end.
        p: two-sided p-value of approximate randomization over documents; knows nothing of seeds, the interval does.
        detectable: the smallest true difference that these data show in about 80 % of cases.
        differing: documents on which the counts of the two sides differ.
        groups: documents, or items where there are none.
        seeds: models on either side.
        verdict: of ``low``, ``high``, ``p`` and ``detectable``.
    """

    before: float
    after: float
    low: float
    high: float
    p: float
    detectable: float
    differing: int
    groups: int
    seeds: tuple[int, int]
    verdict: Verdict

    @property
    def difference(self) -> float:
        """``after - before``."""
        return self.after - self.before


def compare(
    before: Sequence[Counts],
    after: Sequence[Counts],
    groups: NDArray[np.int64],
    figure: Figure,
    *,
    relevant: float,
    resamples: int = 10_000,
    seed: int = 0,
) -> Comparison:
    """Compare the models ``after`` with the models ``before`` on the same n items.

    Args:
        before: one matrix float64 (n, K) of counts per seed.
        after: the same of the other side; the number of seeds may differ.
        groups: int (n,): number of each item's document. Documents are what is resampled.
        figure: ``(..., K) -> (...)``; larger is better.
        relevant: the smallest difference that matters. Without significance, data that would show it give
            "no evidence", and data that would not give "too few data".
        seed: of the resampling; the same input gives the same output.

    Raises:
        UserError: nothing on a side, no items, or matrices of different shape.
    """
    shapes = {counts.shape for counts in (*before, *after)}
    if not before or not after or shapes != {(len(groups), *next(iter(shapes))[1:])} or len(groups) == 0:
        raise UserError(f"nothing to compare: {len(before)} and {len(after)} models, counts {sorted(shapes)}")
    rng = np.random.default_rng(seed)
    documents = _per_document(np.stack([*before, *after], axis=1), groups)
    split = len(before)
    figures = figure(documents.sum(axis=0))
    draws = _bootstrap(documents, split, figure, resamples, rng)
    low, high = (float(value) for value in np.quantile(draws, [OUTSIDE / 2, 1 - OUTSIDE / 2]))
    sides = np.stack([documents[:, :split].mean(axis=1), documents[:, split:].mean(axis=1)], axis=1)
    result = Comparison(
        before=float(figures[:split].mean()),
        after=float(figures[split:].mean()),
        low=low,
        high=high,
        p=_randomization(sides, figure, resamples, rng),
        detectable=(high - low) / 2 * VISIBLE,
        differing=int(_differ(sides).sum()),
        groups=len(documents),
        seeds=(split, len(after)),
        verdict="no evidence",
    )
    return replace(result, verdict=judge(result, relevant))


def judge(comparison: Comparison, relevant: float) -> Verdict:
    """The verdict: "better" and "worse" need interval and p-value, "no evidence" data that would have shown more."""
    if comparison.p <= LEVEL and comparison.low > 0:
        return "better"
    if comparison.p <= LEVEL and comparison.high < 0:
        return "worse"
    few = comparison.groups < FEWEST or comparison.detectable > relevant
    return "too few data" if few else "no evidence"


def holm(comparisons: Mapping[str, Comparison], relevant: float) -> dict[str, Comparison]:
    """The same comparisons with p-values adjusted for their number (Holm 1979), and the verdicts that follow."""
    ordered = sorted(comparisons, key=lambda name: comparisons[name].p)
    adjusted, largest = {}, 0.0
    for rank, name in enumerate(ordered):
        largest = max(largest, min(1.0, comparisons[name].p * (len(ordered) - rank)))
        adjusted[name] = replace(comparisons[name], p=largest)
    return {name: replace(adjusted[name], verdict=judge(adjusted[name], relevant)) for name in comparisons}


def _per_document(counts: Counts, groups: NDArray[np.int64]) -> Counts:
    """Sums (G, seeds, K) over the items of each document, from (n, seeds, K)."""
    names, index = np.unique(groups, return_inverse=True)
    sums = np.zeros((len(names), *counts.shape[1:]))
    np.add.at(sums, index, counts)
    return sums


def _alike(rows: Counts) -> tuple[Counts, NDArray[np.int64]]:
    """The different rows of (G, ...) and how often each stands there: most documents look like many others."""
    flat, times = np.unique(rows.reshape(len(rows), -1), axis=0, return_counts=True)
    return flat.reshape(-1, *rows.shape[1:]), times


def _bootstrap(documents: Counts, split: int, figure: Figure, resamples: int, rng: np.random.Generator) -> Counts:
    """Differences (resamples,) of the mean figures after - before, resampled over documents and, if several, seeds."""
    rows, times = _alike(documents)
    share = times / times.sum()
    draws = []
    for size in _chunks(resamples, len(rows)):
        weights = rng.multinomial(len(documents), share, size=size).astype(np.float64)
        figures = figure(np.tensordot(weights, rows, axes=1))  # (size, seeds)
        draws.append(figures[:, split:].mean(axis=1) - figures[:, :split].mean(axis=1))
    return np.concatenate(draws) + _seed_noise(figure(documents.sum(axis=0)), split, resamples, rng)


def _seed_noise(observed: Counts, split: int, resamples: int, rng: np.random.Generator) -> Counts:
    """What other seeds would have changed in the difference, (resamples,) draws.

    Each seed of both sides gets one of the pooled residuals of the seeds within their side, drawn with replacement and
    scaled to an unbiased variance; a draw of chi-squared gives the tails of Student's t. All 0 for one seed each: then
    the comparison is about two models, and nothing is known about others.

    Args:
        observed: figures (seeds,) on the documents as they are.
    """
    sides = (observed[:split], observed[split:])
    freedom = len(observed) - 2
    noise = np.zeros(resamples)
    if freedom == 0:
        return noise
    residuals = np.concatenate([side - side.mean() for side in sides]) * np.sqrt(len(observed) / freedom)
    for side in sides:
        noise += rng.choice(residuals, (resamples, len(side))).mean(axis=1) * rng.choice([-1.0, 1.0], resamples)
    tails: Counts = np.sqrt(freedom / rng.chisquare(freedom, resamples))
    return noise * tails


def _randomization(sides: Counts, figure: Figure, resamples: int, rng: np.random.Generator) -> float:
    """Two-sided p-value of the difference of figures when each document's two answers (G, 2, K) swap at random."""
    old, new = sides.sum(axis=0)
    observed = abs(float(figure(new) - figure(old)))
    differ = _differ(sides)
    if not differ.any():
        return 1.0
    moves, times = _alike((sides[:, 1] - sides[:, 0])[differ])
    hits = 0
    for size in _chunks(resamples, len(moves)):
        moved = rng.binomial(times, 0.5, size=(size, len(times))) @ moves
        hits += int((np.abs(figure(new - moved) - figure(old + moved)) >= observed - 1e-12).sum())
    return (hits + 1) / (resamples + 1)


def _differ(sides: Counts) -> NDArray[np.bool_]:
    """Which documents of (G, 2, K) have other counts on the other side; means of seeds carry rounding."""
    different: NDArray[np.bool_] = np.abs(sides[:, 1] - sides[:, 0]).max(axis=1) > 1e-9
    return different


def _chunks(resamples: int, width: int) -> list[int]:
    """Sizes that sum to ``resamples``, each with at most CHUNK weights."""
    most = max(1, CHUNK // max(width, 1))
    return [min(most, resamples - start) for start in range(0, resamples, most)]
