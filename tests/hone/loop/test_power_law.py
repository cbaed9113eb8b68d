"""The inverse power law finds what made the figures, and its band holds the truth as often as it says."""

import numpy as np
import pytest

from hone.loop.power_law import at, fit, forecasts, resampled_means
from tasks.scoring.measures import f1

SHARES = np.array([0.125, 0.25, 0.5, 1.0])


def truth(share: float | np.ndarray, ceiling: float = 0.8, gap: float = 0.15, rate: float = 0.5) -> np.ndarray:
    return ceiling - gap * np.asarray(share) ** -rate


def test_exact_figures_give_the_curve_back() -> None:
    curves = fit(SHARES, truth(SHARES)[None, :])
    assert float(at(2.0, curves)[0]) == pytest.approx(float(truth(2.0)), abs=5e-4)
    assert float(at(4.0, curves)[0]) == pytest.approx(float(truth(4.0)), abs=2e-3)


def test_a_flat_or_falling_curve_promises_nothing() -> None:
    for figures in ([0.6, 0.6, 0.6, 0.6], [0.7, 0.65, 0.6, 0.55]):
        ceiling, gap, _ = fit(SHARES, np.array([figures]))
        assert gap[0] == 0 and ceiling[0] == pytest.approx(np.mean(figures))


def test_no_curve_leads_above_one() -> None:
    curves = fit(SHARES, np.array([[0.1, 0.4, 0.7, 0.999], [0.2, 0.21, 0.6, 0.95]]))
    assert (curves[0] <= 1).all() and (at(1000.0, curves) <= 1).all()


def test_rows_are_fitted_each_for_itself() -> None:
    rows = np.stack([truth(SHARES), truth(SHARES, 0.9, 0.3, 0.3)])
    together = fit(SHARES, rows)
    for row in range(2):
        alone = fit(SHARES, rows[row : row + 1])
        assert [float(part[row]) for part in together] == pytest.approx([float(part[0]) for part in alone])


def test_the_band_holds_the_truth() -> None:
    """Noise of known size: of 100 simulated curves the 95 % band at twice the data holds the truth in at least 85 %."""
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(100):
        seeds = truth(SHARES)[:, None] + rng.normal(0, 0.01, (4, 3))
        observed = seeds.mean(axis=1)
        residuals = (seeds - observed[:, None]).ravel() * np.sqrt(12 / 8)
        resampled = observed + rng.choice(residuals, (200, 4, 3)).mean(axis=2)
        (twice,) = forecasts(SHARES, observed, resampled, [2.0])
        held += twice.low <= truth(2.0) <= twice.high
    assert held >= 85


def test_gains_are_over_all_of_train() -> None:
    observed = truth(SHARES)
    now, twice = forecasts(SHARES, observed, np.stack([observed, observed + 0.01]), [1.0, 2.0])
    assert (now.gain, now.gain_low, now.gain_high) == (0, 0, 0)
    assert twice.gain == pytest.approx(twice.figure - now.figure)
    assert twice.gain_low == pytest.approx(twice.gain_high, abs=1e-3)


def test_documents_and_seeds_are_resampled_together() -> None:
    rng = np.random.default_rng(1)
    right = rng.binomial(5, 0.6, 60).astype(float)
    counts = np.stack([right, np.full(60, 5.0), np.full(60, 5.0)], axis=1)
    worse = counts - [1.0, 0, 0]
    observed, means = resampled_means([[counts], [worse]], np.arange(60), f1, resamples=500)
    assert observed == pytest.approx([right.sum() / 300, right.sum() / 300 - 0.2])
    assert means.shape == (500, 2)
    assert np.ptp(means[:, 0] - means[:, 1]) < 1e-9  # the same documents for both
    assert means[:, 0].std() > 0.02
    _, two = resampled_means([[counts, worse], [worse, counts]], np.arange(60), f1, resamples=500)
    assert two[:, 0].std() > means[:, 0].std()  # the seeds' spread comes on top
