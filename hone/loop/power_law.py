"""What more data would bring: an inverse power law through the figures of growing parts of train, with its doubt.

``figure(share) = ceiling - gap * share ** -rate`` (Cortes et al. 1994; Figueroa et al. 2012 for its use on text). For
each of a grid of rates, ceiling and gap follow by least squares; the rate with the smallest rest is taken. The doubt
comes from fitting it anew to resampled documents and seeds, so it holds that of validation and that of training, and
not the doubt whether the law holds beyond the data.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.scoring.intervals import resample

Floats = NDArray[np.float64]
RATES = np.geomspace(0.05, 2.0, 200)
CEILING = 1.0  # of any figure here


@dataclass(frozen=True)
class Forecast:
    """The figure at some share of train, and what it gains over all of it: fitted, and where 95 % of the refits lie."""

    share: float
    figure: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float


def fit(shares: Floats, figures: Floats) -> tuple[Floats, Floats, Floats]:
    """Ceiling, gap and rate of the curve through each row of figures.

    Args:
        shares: of train (S,), over 0.
        figures: (R, S): R curves.

    Returns:
        Three arrays (R,). The gap is at least 0 and the ceiling at most CEILING: where least squares would leave these
        bounds, the best curve on the bound is taken.
    """
    rows = len(figures)
    best = np.full(rows, np.inf)
    ceiling, gap, rate = np.empty(rows), np.empty(rows), np.empty(rows)
    mean = figures.mean(axis=1)
    for one in RATES:
        basis = shares**-one
        centred = basis - basis.mean()
        slope = np.maximum(-(figures @ centred) / (centred @ centred), 0.0)
        top = mean + slope * basis.mean()
        over = top > CEILING
        on_bound = np.maximum(((CEILING - figures) @ basis) / (basis @ basis), 0.0)
        slope, top = np.where(over, on_bound, slope), np.where(over, CEILING, top)
        rest = ((figures - (top[:, None] - slope[:, None] * basis)) ** 2).sum(axis=1)
        better = rest < best - 1e-15
        best = np.where(better, rest, best)
        ceiling, gap = np.where(better, top, ceiling), np.where(better, slope, gap)
        rate = np.where(better, one, rate)
    return ceiling, gap, rate


def at(share: float, curves: tuple[Floats, Floats, Floats]) -> Floats:
    """The figures (R,) of the curves at a share of train."""
    ceiling, gap, rate = curves
    figures: Floats = ceiling - gap * share**-rate
    return figures


def forecasts(shares: Floats, observed: Floats, resampled: Floats, wanted: Sequence[float]) -> list[Forecast]:
    """The fitted curve and its band at the ``wanted`` shares, and what each gains over all of train.

    Args:
        observed: figures (S,), the mean over seeds.
        resampled: (R, S) of resampled documents and seeds.
    """
    whole, curves = fit(shares, observed[None, :]), fit(shares, resampled)
    now, now_resampled = at(1.0, whole), at(1.0, curves)
    found = []
    for share in wanted:
        figures = at(share, curves)
        ends = [np.quantile(values, [0.025, 0.975]) for values in (figures, figures - now_resampled)]
        (low, high), (gain_low, gain_high) = ((float(a), float(b)) for a, b in ends)
        figure = float(at(share, whole)[0])
        found.append(Forecast(share, figure, low, high, figure - float(now[0]), gain_low, gain_high))
    return found


def resampled_means(
    counts: Sequence[Sequence[Floats]],
    groups: NDArray[np.int64],
    figure: Callable[[Floats], Floats],
    *,
    resamples: int,
    seed: int = 1,
) -> tuple[Floats, Floats]:
    """Mean figures of each system, observed (S,) and under resampled documents and seeds (R, S).

    Documents are drawn once for all systems, as all answered the same. What other seeds would have done is drawn from
    the residuals of all systems' seeds, scaled to an unbiased variance; with one seed each nothing is known of that.

    Args:
        counts: of each system a list of matrices (n, K), one per seed.
        groups: number of each item's document, (n,).
    """
    width = counts[0][0].shape[1]
    sums = resample(np.concatenate([one for side in counts for one in side], axis=1), groups, resamples=resamples)
    figures = figure(sums.reshape(resamples, -1, width))
    now = figure(np.stack([one.sum(axis=0) for side in counts for one in side]))
    ends = np.cumsum([len(side) for side in counts])
    sides = [slice(end - len(side), end) for end, side in zip(ends, counts, strict=True)]
    observed = np.array([now[side].mean() for side in sides])
    means = np.stack([figures[:, side].mean(axis=1) for side in sides], axis=1)
    freedom = len(now) - len(sides)
    if freedom:
        residuals = np.concatenate([now[side] - now[side].mean() for side in sides]) * np.sqrt(len(now) / freedom)
        rng = np.random.default_rng(seed)
        for column, side in enumerate(counts):
            means[:, column] += rng.choice(residuals, (resamples, len(side))).mean(axis=1)
    return observed, means
