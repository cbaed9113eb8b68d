"""What is turned off, and the ranking that a person sees."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hone.ablate import Without, choices, page_of, turned
from hone.loop.page import WIDTH, terminal
from hone.loop.wording import span
from tasks.errors import UserError
from tasks.params import Choice
from tasks.scoring.paired import Comparison

ROOT = Path(__file__).resolve().parents[2]
VALUES = {"finetune.dropout": 0.1, "finetune.head": "linear", "finetune.layer_decay": 1.0}


def comparison(difference: float, verdict: Any = "no evidence") -> Comparison:
    low, high = difference - 0.02, difference + 0.03
    return Comparison(0.6, 0.6 + difference, low, high, 0.01, 0.03, 9, 40, (3, 3), verdict)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())


def test_what_is_off_already_is_left_out_and_named() -> None:
    block = [Choice(param="finetune.dropout", off=0.0), Choice(param="finetune.head", off="linear")]
    on, idle = choices([*block, Choice(param="finetune.layer_decay", off=1)], VALUES)
    assert [one.param for one in on] == ["finetune.dropout"]
    assert idle == ["finetune.head", "finetune.layer_decay"]  # 1 and 1.0 are equally off
    with pytest.raises(UserError, match="all of them are off already"):
        choices(block[1:], VALUES)


@pytest.mark.parametrize(
    ("param", "off", "message"),
    [
        ("finetune.drop", 0.0, r"ablate\.choices\[0\]: finetune\.drop: 0\.0: .*did you mean 'finetune\.dropout'"),
        ("finetune.dropout", 2.0, r"ablate\.choices\[0\]: finetune\.dropout: 2\.0: .*less than or equal to 1"),
    ],
)
def test_values_that_a_key_may_not_have_are_refused(param: str, off: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        choices([Choice(param=param, off=off)], VALUES)


def test_worth_is_what_is_lost_without() -> None:
    lost = comparison(-0.05, "worse")
    assert Without("p", 1, 0, lost).worth == pytest.approx(0.05)
    other = turned(lost)
    assert other.difference == pytest.approx(0.05) and (other.low, other.high) == pytest.approx((0.02, 0.07))
    assert Without("p", 1, 0, None).worth == 0
    same = turned(replace(comparison(0.0), low=0.0, high=0.0))
    assert span(same) == "+0.0000 (+0.0000 to +0.0000)"


def test_the_ranking_in_words() -> None:
    ranked = [
        Without("finetune.dropout", 0.1, 0.0, comparison(-0.05, "worse")),
        Without("finetune.warmup_ratio", 0.1, 0.0, comparison(0.04, "better")),
        Without("finetune.schedule", "linear", "constant", None),
    ]
    said = terminal(page_of(ranked, ["finetune.patience"], "entity_f1", 3))
    assert "+0.0500 (+0.0200 to +0.0700)" in said and "helps" in said and "harms" in said and "unknown" in said
    assert "Off already: finetune.patience." in said and "Better without: finetune.warmup_ratio." in said
    assert "\n  finetune " in said and "\n  dropout " in said  # the block stands in the heading
    assert max(map(len, said.splitlines())) <= WIDTH
