"""Drift is what is sure and large; chance and small changes are none."""

import numpy as np
import pytest

from tasks.scoring.drift import NOTHING, Sample, drift, holm, words

LIMITS = {"level": 0.01, "shift": 0.1, "surge": 2.0}
VOCABULARY = frozenset(f"w{number}" for number in range(100))


def sample(seed: int, texts: int, shares: dict[str, float], *, length: float = 10, known: float = 0.9) -> Sample:
    """Texts of Poisson length in which words are known with a probability, each with one label drawn by shares."""
    rng = np.random.default_rng(seed)
    made = Sample()
    for _ in range(texts):
        label = str(rng.choice(list(shares), p=list(shares.values())))
        count = 1 + rng.poisson(length - 1)
        text = " ".join("w1" if rng.random() < known else "new" for _ in range(count))
        made.add([] if label == NOTHING else [label], [float(rng.beta(8, 2))], text, VOCABULARY)
    return made


USUAL = {"PER": 0.5, "LOC": 0.3, "ORG": 0.15, NOTHING: 0.05}


def test_the_same_source_raises_no_alarm() -> None:
    reference = sample(0, 400, USUAL)
    alarms = [one.what for seed in range(1, 41) for one in drift(reference, sample(seed, 100, USUAL), **LIMITS)
              if one.drifted]  # fmt: skip
    assert len(alarms) <= 1  # a family-wise level of 1 % in 40 windows


@pytest.mark.parametrize(
    ("now", "what"),
    [
        (sample(9, 200, {"PER": 0.1, "LOC": 0.3, "ORG": 0.3, NOTHING: 0.3}), "labels"),
        (sample(9, 200, USUAL, length=25), "length"),
        (sample(9, 200, USUAL, known=0.5), "unknown words"),
        (sample(9, 200, {"PER": 0.35, "LOC": 0.2, "ORG": 0.4, NOTHING: 0.05}), "surge of ORG"),
        (sample(9, 200, {"PER": 0.4, "LOC": 0.25, "ORG": 0.15, "LAW": 0.15, NOTHING: 0.05}), "surge of LAW"),
    ],
)
def test_what_changed_is_named(now: Sample, what: str) -> None:
    found = {one.what: one for one in drift(sample(0, 400, USUAL), now, **LIMITS)}
    assert found[what].drifted and found[what].p < 0.01
    untouched = {"confidence", "unknown words", "length"} - {what}
    assert not any(found[name].drifted for name in untouched)


def test_less_confidence_is_a_drift() -> None:
    now = sample(9, 200, USUAL)
    now.confidence = [value / 2 for value in now.confidence]
    assert [one.what for one in drift(sample(0, 400, USUAL), now, **LIMITS) if one.drifted] == ["confidence"]


def test_what_is_sure_but_small_is_no_drift() -> None:
    reference, now = sample(0, 20_000, {"PER": 0.5, "LOC": 0.5}), sample(1, 20_000, {"PER": 0.54, "LOC": 0.46})
    labels = drift(reference, now, **LIMITS)[0]
    assert labels.p < 1e-6 and labels.effect == pytest.approx(0.04, abs=0.01) and not labels.drifted
    assert drift(reference, now, level=0.01, shift=0.02, surge=2.0)[0].drifted


def test_effects_are_what_they_say() -> None:
    before, now = Sample(), Sample()
    before.labels.update({"a": 60, "b": 40})
    now.labels.update({"a": 30, "b": 60, "c": 10})
    found = drift(before, now, **LIMITS)
    assert found[0].effect == pytest.approx(0.3)  # half of .3 + .2 + .1
    assert (found[0].before, found[0].after) == ("a 60.0 %", "a 30.0 %")
    assert [one.what for one in found] == ["labels", "surge of b", "surge of c"]  # no texts, so nothing else
    # Pearson's statistic by hand: expected 45, 50, 5 on either side
    from scipy.special import chdtrc

    statistic = 2 * 15**2 / 45 + 2 * 10**2 / 50 + 2 * 5**2 / 5
    assert found[0].p == pytest.approx(3 * float(chdtrc(2, statistic)))  # the smallest of three, by Holm


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0] and holm([]) == []


def test_nothing_to_compare_is_no_finding() -> None:
    assert drift(Sample(), sample(0, 60, USUAL), **LIMITS) != [] and drift(Sample(), Sample(), **LIMITS) == []


def test_words_of_scripts_without_spaces_are_characters() -> None:
    assert words("Ann's 東京 trip") == ["ann", "s", "東", "京", "trip"]
