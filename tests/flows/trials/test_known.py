"""What makes another trial, and what does not."""

from typing import Any

from flows.trials.known import Inputs

VALUES: dict[str, Any] = {"seed": 1, "page": {"length": 40}, "goal": 0.7}
IDS = {"raw": "1", "train.py": "2", "show.py": "3"}
STAGES: dict[str, Any] = {
    "train": {"cmd": "a", "deps": ["raw", "train.py"], "params": ["seed"], "outs": ["model"]},
    "score": {"cmd": "b", "deps": ["model"], "metrics": [{"metrics.json": {"cache": False}}]},
    "show": {"cmd": "c", "deps": ["metrics.json", "show.py"], "params": ["page", "goal"], "outs": ["page"]},
}


def key(stages: dict[str, Any] = STAGES, ids: dict[str, str] = IDS, **overrides: Any) -> str:
    return Inputs(VALUES, {"stages": stages}, ids).key(overrides)


def test_what_no_metrics_depend_on_makes_no_other_trial() -> None:
    assert key(goal=0.8) == key(**{"page.length": 3}) == key(ids={**IDS, "show.py": "9"}) == key()
    assert key() == key({name: block for name, block in STAGES.items() if name != "show"})


def test_what_they_depend_on_does() -> None:
    others = [key(seed=2), key(ids={**IDS, "raw": "9"}), key(ids={**IDS, "train.py": "9"})]
    others.append(key({**STAGES, "train": {**STAGES["train"], "cmd": "z"}}))
    assert len({key(), *others}) == 5


def test_without_metrics_everything_counts() -> None:
    bare = {name: {k: v for k, v in block.items() if k != "metrics"} for name, block in STAGES.items()}
    bare["show"]["deps"] = ["model", "show.py"]
    assert key(bare, goal=0.8) != key(bare)


def test_which_keys_of_the_params_the_key_tells() -> None:
    inputs = Inputs(VALUES, {"stages": STAGES}, IDS)
    assert inputs.declares({"seed": 2}) and inputs.declares({})
    assert not inputs.declares({"goal": 0.8}) and not inputs.declares({"seed": 2, "page.length": 3})
    whole = {**STAGES, "train": {**STAGES["train"], "params": [{"params.yaml": None}]}}
    assert Inputs(VALUES, {"stages": whole}, IDS).declares({"page.length": 3})


def test_a_key_is_worked_out_anew_for_other_types() -> None:
    inputs = Inputs(VALUES, {"stages": STAGES}, IDS)
    assert len({inputs.key({"seed": value}) for value in (1, 1.0, True, "1", 1)}) == 4
    assert inputs.key({"seed": 1}) == inputs.key({})
