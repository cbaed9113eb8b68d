"""A search ends when it should, goes on after a kill as if nothing had been, and tells what it found."""

import fcntl
import os
from typing import Any

import pytest

from flows.search import storage, study
from flows.search.sampler import Mixed
from tasks.errors import UserError
from tasks.params import Choices, Range


def test_the_first_point_is_what_is_here_and_the_best_is_found(lab: Any) -> None:
    found = lab.search(trials=20)
    assert found.rows[0].params == {"train.rate": 0.01, "train.layers": 2, "train.head": "linear"}
    assert (found.why, len(found.rows), found.again) == ("trials", 20, 0)
    assert found.best is not None and found.best.value == pytest.approx(0.6)
    assert found.best.low == pytest.approx(0.55) and found.best.seconds == 1.0
    assert [trial.kind for trial in lab.ran] == ["sweep"] * 20
    assert {trial.group for trial in lab.ran} == {found.name}


def test_what_came_out_of_a_cache_has_no_time(lab: Any) -> None:
    lab.verdict = "cached, unchanged"
    assert lab.search().best.seconds is None


def test_more_trials_go_on_where_it_ended(lab: Any) -> None:
    first = lab.search(trials=5)
    second = lab.search(trials=8)
    assert second.name == first.name and second.rows[:5] == first.rows and len(lab.ran) == 8
    assert lab.search(trials=8).rows == second.rows and len(lab.ran) == 8


@pytest.mark.parametrize("at", [0, 6])
def test_a_killed_search_ends_as_an_unbroken_one(lab: Any, at: int, tmp_path: Any, monkeypatch: Any) -> None:
    whole = lab.search(trials=8)
    assert len(whole.rows) == 8
    monkeypatch.setattr(storage, "FILE", tmp_path / "again.sqlite")
    lab.ran, lab.die_at = [], at
    with pytest.raises(KeyboardInterrupt):
        lab.search(trials=8)
    found = lab.search(trials=8)
    assert found.again == 1 and len(lab.ran) == 8
    points = [row.params for row in found.rows]
    assert points == [row.params for row in whole.rows]
    assert [row.value for row in found.rows] == [row.value for row in whole.rows]
    assert [row.drawn for row in found.rows] == [row.drawn for row in whole.rows]


def test_what_matters_is_told_from_what_does_not(lab: Any) -> None:
    found = lab.search(trials=40, random_share=1.0)
    assert min(found.importance, key=lambda key: found.importance[key]) == "train.rate"
    assert {row.drawn for row in found.rows[1:]} == {"random"} and found.rows[0].drawn == "given"


def test_a_point_that_makes_no_sense_is_no_trial(lab: Any) -> None:
    found = lab.search(trials=25, random_share=1.0)
    assert len(found.rows) == 25
    assert not any(row.params["train.layers"] == 5 and row.params["train.head"] == "mlp" for row in found.rows)
    assert found.rows[-1].number > 24  # some numbers were void


def test_a_space_of_nonsense_ends(lab: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(study, "REFUSED", 20)
    space = [
        Range(param="train.layers", low=1, high=5, scale="linear"),
        Choices(param="train.head", choices=["mlp", "x"]),
    ]

    def refuse(overrides: Any) -> None:
        if len(overrides) > 1:
            raise UserError("never")

    with pytest.raises(UserError, match="20 points in a row make no sense, the last: never"):
        lab.search(space=space, check=refuse)


def test_the_goal_ends_it_when_a_whole_interval_lies_above(lab: Any) -> None:
    found = lab.search(trials=100, goal=0.5)
    assert found.why == "goal" and found.rows[-1].low >= 0.5
    assert all(row.low < 0.5 for row in found.rows[:-1])
    assert len(lab.ran) == len(lab.search(trials=100, goal=0.5).rows)  # nothing is left to do


def test_without_reaching_the_goal_it_says_what_ended_it(lab: Any) -> None:
    assert lab.search(trials=4, goal=0.99).why == "trials"
    lab.seconds = 1800.0
    assert lab.search(trials=99, goal=0.99, budget_hours=2.0).why == "budget"
    assert len(lab.ran) == 8
    assert lab.search(trials=99, hours=1e-9).why == "hours"
    assert len(lab.ran) == 8


def test_weak_trials_are_pruned_and_good_ones_are_not(lab: Any) -> None:
    lab.epochs = 4
    found = lab.search(trials=30, pruner="median", random_share=1.0)
    states = {row.state for row in found.rows}
    assert states == {"done", "pruned"} and lab.pruned
    best = max(row.value for row in found.rows if row.value is not None)
    assert all(max(row.epochs.values()) < best for row in found.rows if row.state == "pruned")
    assert all(len(row.epochs) < 4 and row.value is None for row in found.rows if row.state == "pruned" and row.epochs)
    assert lab.search(trials=30, pruner="median").best.value == best


def test_hyperband_prunes_too(lab: Any) -> None:
    lab.epochs = 9
    assert any(row.state == "pruned" for row in lab.search(trials=30, pruner="hyperband", random_share=1.0).rows)


def test_failures_are_rows_but_only_failures_are_an_error(lab: Any) -> None:
    lab.fail = lambda trial: trial.name.endswith("-3")
    found = lab.search(trials=6)
    assert [row.error for row in found.rows if row.state == "failed"] == ["no luck; try again"]
    lab.fail = lambda trial: True
    with pytest.raises(UserError, match="the first 3 trials failed, the last with: no luck"):
        lab.search(trials=6, space=[Range(param="train.rate", low=0.01, high=0.1, scale="log")])


def test_another_space_is_another_search(lab: Any) -> None:
    names = {lab.search(trials=1).name}
    names.add(lab.search(trials=1, space=[Range(param="train.layers", low=1, high=4, scale="linear")]).name)
    assert len(names) == 2


def test_two_drivers_of_one_search_are_refused(lab: Any) -> None:
    name = lab.search(trials=1).name
    descriptor = os.open(study.LOCKS / f"{name}.lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with pytest.raises(UserError, match="another 'hone sweep' is at work on it"):
            lab.search(trials=2)
    finally:
        os.close(descriptor)


def test_a_living_driver_elsewhere_keeps_its_trials_and_a_dead_one_does_not(lab: Any, monkeypatch: Any) -> None:
    lab.die_at = 2
    monkeypatch.setattr(study, "_driver", lambda: "elsewhere:/project")
    with pytest.raises(KeyboardInterrupt):
        lab.search(trials=5)
    monkeypatch.setattr(study, "_driver", lambda: "here:/project")
    found = lab.search(trials=5)
    assert found.again == 0 and [row.state for row in found.rows].count("running") == 1
    monkeypatch.setattr(study, "DEAD", -1.0)
    found = lab.search(trials=5)
    assert found.again == 1 and {row.state for row in found.rows} == {"done"} and len(found.rows) == 5


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "sweep.storage: nonsense is no URL of a database"),
        (
            "postgresql+psycopg://me:secret@127.0.0.1:1/x",
            r"storage: postgresql\+psycopg://me@127.0.0.1:1/x cannot",
        ),
        ("postgresql+none://127.0.0.1/x", "sweep.storage: "),
        ("sqlite:////tmp/x.sqlite", "sweep.storage: sqlite:////tmp/x.sqlite is a file outside the project; name one"),
        ("sqlite:///../x.sqlite", "is a file outside the project"),
        ("sqlite+pysqlite:///../x.sqlite", "is a file outside the project"),
        ("sqlite:///file:/tmp/x?uri=true", "is a file outside the project"),
    ],
)
def test_a_storage_that_cannot_be_used_is_named_without_its_password(lab: Any, url: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        lab.search(storage=url)
    assert "secret" not in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("share", "trials", "random"), [(0.25, 20, 5), (0.0, 20, 0), (1.0, 7, 7), (0.5, 40, 20), (0.1, 20, 2)]
)
def test_the_share_of_random_trials_is_exact(share: float, trials: int, random: int) -> None:
    sampler = Mixed(1, share, trials)
    drawn = [sampler.random(number) for number in range(trials)]
    assert sum(drawn) == random
    assert drawn[: min(random, 10)] == [True] * min(random, 10)
