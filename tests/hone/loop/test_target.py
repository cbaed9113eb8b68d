"""The figure that the loop goes by, from metrics or predictions; models over seeds; the winner confirmed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from flows.trials import Outcome, Trial
from hone.loop.compared import compared
from hone.loop.confirm import confirm
from hone.loop.seeds import over_seeds
from hone.loop.target import Target
from tasks.errors import UserError
from tasks.params import Goal
from tasks.records import Example, Prediction

GOLD = (["B-PER", "O", "B-LOC"], ["O", "B-ORG", "I-ORG"], ["O", "O", "O"])
WORDS = (["Ann", "in", "Rome"], ["the", "Red", "Cross"], ["it", "is", "late"])


def predictions(wrong: Sequence[int] = (), offset: int = 0, documents: int = 60) -> tuple[Prediction, ...]:
    """Six entities in each document of three sentences; ``wrong`` of each ten documents find nothing."""
    made = []
    for number in range(3 * documents):
        gold, document = GOLD[number % 3], number // 3
        found = ["O"] * 3 if (document + offset) % 10 in wrong else gold
        made.append(Prediction(f"a.conll:{number}", gold, found, [0.9] * 3, document=f"d{document}"))
    return tuple(made)


class Outs:
    """Predictions by revision, without Git and DVC."""

    def __init__(self, **by_rev: tuple[Prediction, ...]) -> None:
        self.by_rev = by_rev

    def predictions(self, rev: str) -> tuple[Prediction, ...] | None:
        return self.by_rev.get(rev)

    def examples(self, rev: str, split: str) -> list[Example]:
        return [
            Example(f"a.conll:{number}", f"d{number // 3}", {"words": WORDS[number % 3]}, GOLD[number % 3])
            for number in range(180)
        ]


def target(outs: Any, metric: str = "headline", part: str = "") -> Target:
    return Target("token_classification", Goal(metric=metric, value=0.7, slice=part, budget_hours=0.0), outs)


def outcome(rev: str, metrics: dict[str, Any] | None = None, name: str = "t") -> Outcome:
    trial = Trial(name, {}, "sweep", "g")
    return Outcome(
        trial, "ran" if rev else "failed", rev or None, {"validation": metrics or {}}, {}, Path("l"), name=name
    )


def test_the_metrics_file_is_believed_where_it_has_the_interval() -> None:
    stated = {"entity_f1": 0.6, "entity_f1_low": 0.5, "entity_f1_high": 0.7}
    figure = target(Outs()).judge(outcome("a", stated))
    assert figure is not None and (figure.value, figure.low, figure.high) == (0.6, 0.5, 0.7)


def test_else_the_interval_comes_from_the_predictions() -> None:
    figure = target(Outs(a=predictions([0, 1, 2]))).judge(outcome("a", {"entity_f1": 0.1}))
    assert figure is not None and figure.value == pytest.approx(2 * 0.7 / 1.7)
    assert 0.7 < figure.low < figure.value < figure.high < 0.95
    assert target(Outs()).judge(outcome("a", {"entity_f1": 0.1})) is None


def test_a_slice_and_a_type_are_judged_by_their_own_items() -> None:
    half = predictions([0, 1, 2, 3, 4])
    right_locations = tuple(
        Prediction(one.id, one.gold, ["O", "O", "B-LOC"] if one.gold[0] == "B-PER" else one.predicted, one.confidence,
                   document=one.document)
        for one in half
    )  # fmt: skip
    outs = Outs(a=right_locations)
    for metric, part in (("per_type.LOC.f1", ""), ("headline", "type: LOC")):
        figure = target(outs, metric, part).judge(outcome("a"))
        assert figure is not None and (figure.value, figure.low) == (1.0, 1.0)
    worst = target(outs, "per_type.PER.f1").judge(outcome("a"))
    assert worst is not None and worst.value == 0.0


def test_figures_without_counts_or_items_are_refused() -> None:
    with pytest.raises(UserError, match=r"goal\.metric: entity_precision: models cannot be compared by it"):
        target(Outs(), "entity_precision")
    with pytest.raises(UserError, match="validation has no type DOG"):
        target(Outs(a=predictions()), "per_type.DOG.f1").judge(outcome("a"))
    with pytest.raises(UserError, match=r"goal\.slice: 'type: DOG': validation has none"):
        target(Outs(a=predictions()), "headline", "type: DOG").judge(outcome("a"))


def test_systems_are_compared_over_their_seeds() -> None:
    outs = Outs(a=predictions([0, 1, 2, 3]), b=predictions([0, 1, 2, 3], 1), c=predictions([0]), d=predictions([1]))
    sides = [outcome("a"), outcome("b"), outcome("")], [outcome("c"), outcome("d")]
    found = compared(target(outs), *sides, relevant=0.05, resamples=1000)
    assert found is not None and found.verdict == "better" and found.seeds == (2, 2)
    assert compared(target(outs), [outcome("")], [outcome("c")], relevant=0.05, resamples=1000) is None


def test_other_validation_data_and_lost_predictions_are_errors() -> None:
    outs = Outs(a=predictions(), b=predictions(documents=50))
    with pytest.raises(UserError, match=r"different validation data.*splits\.validation"):
        compared(target(outs), [outcome("a")], [outcome("b")], relevant=0.05, resamples=1000)
    with pytest.raises(UserError, match="t: its predictions are neither in DVC's cache nor in its remote"):
        compared(target(outs), [outcome("a")], [outcome("z")], relevant=0.05, resamples=1000)


def lab(by_seed: dict[str, tuple[Prediction, ...]]) -> tuple[Target, list[Trial], Any]:
    """Trials whose revision is their name."""
    asked: list[Trial] = []

    def run(trials: list[Trial]) -> list[Outcome]:
        asked.extend(trials)
        return [outcome(one.name, name=one.name) for one in trials]

    return target(Outs(**by_seed)), asked, run


def test_the_winner_is_confirmed_over_seeds_that_the_search_has_not_seen() -> None:
    seeds = (2, 3, 4)
    made = {f"g-7-seed-{seed}": predictions([seed]) for seed in seeds}
    made |= {f"g-current-seed-{seed}": predictions([seed, 5, 6, 7]) for seed in seeds}
    judged, asked, run = lab(made)
    common = {"group": "g", "seed": 1, "seeds": 3, "run": run, "relevant": 0.05, "resamples": 1000}
    found = confirm(judged, "g-7", {"rate": 0.1}, {"rate": 0.2}, **common)
    assert found.comparison is not None and found.comparison.verdict == "better"
    assert (
        found.text[0].startswith("Better: +")
        and "with the seeds 2, 3, 4, none of which the search has seen" in found.text[0]
    )
    assert sorted({one.overrides["seed"] for one in asked}) == [2, 3, 4]
    assert [dict(one.overrides) for one in asked[:2]] == [{"seed": 2}, {"rate": 0.1, "seed": 2}]


def test_no_winner_and_no_seeds_need_no_trials() -> None:
    judged, asked, run = lab({})
    common = {"group": "g", "seed": 1, "run": run, "relevant": 0.05, "resamples": 1000}
    assert "Nothing that was tried" in confirm(judged, "g-0", {"r": 1}, {"r": 1}, seeds=3, **common).text[0]
    assert "better by luck" in confirm(judged, "g-0", {"r": 1}, {"r": 2}, seeds=0, **common).text[0]
    assert asked == []
    failing = confirm(
        judged, "g-0", {"r": 1}, {"r": 2}, seeds=1, **{**common, "run": lambda trials: [outcome("")] * len(trials)}
    )
    assert failing.comparison is None and "no trial of one side" in failing.text[0]


def test_systems_run_seed_by_seed_in_one_fan_out() -> None:
    asked: list[Trial] = []

    def run(trials: list[Trial]) -> list[Outcome]:
        asked.extend(trials)
        return [outcome("" if one.name == "g-b-seed-5" else "r", name=one.name) for one in trials]

    found = over_seeds({"a": {}, "b": {"x": 1}}, kind="ablate", group="g", first=4, seeds=2, run=run)
    assert [one.name for one in asked] == ["g-a-seed-4", "g-b-seed-4", "g-a-seed-5", "g-b-seed-5"]
    assert {name: len(side) for name, side in found.items()} == {"a": 2, "b": 1}
