"""Charts take their colours from the page, say in words what they show, and survive any label and figure."""

import math
import re
from dataclasses import replace
from xml.etree import ElementTree

import matplotlib
import pytest

from tasks.reporting.calibration import Calibration
from tasks.reporting.charts import charts, loss_chart, score_chart
from tasks.reporting.focus import Focus
from tasks.reporting.gather import Report
from tasks.reporting.goal import Goal
from tasks.reporting.history import Epoch
from tasks.reporting.scores import Interval


@pytest.fixture(scope="module")
def drawn(gathered: Report) -> dict[str, str]:
    return charts(gathered)


NAMES = ["headline", "loss", "score", "types", "kinds", "reliability", "thresholds"]


def test_there_are_seven(drawn: dict[str, str]) -> None:
    assert list(drawn) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_is_told_in_words_too(drawn: dict[str, str], name: str) -> None:
    root = ElementTree.fromstring(drawn[name])
    title, description = root.findtext("title"), root.findtext("desc")
    assert title and description
    assert root.get("role") == "img"
    assert root.get("aria-label") == f"{title}. {description}"


def test_the_words_hold_the_figures(drawn: dict[str, str]) -> None:
    assert "Train from 1.2 to 0.3, validation from 0.803 to 0.612, lowest in epoch 2." in drawn["loss"]
    assert "best 0.667 in epoch 2." in drawn["score"]
    assert "LOC: validation 0.444 (0.244 to 0.644), test 1.000 (0.800 to 1.000); MISC: validation" in drawn["types"]
    assert "validation 0.593, interval 0.443 to 0.743, dictionary baseline 0.308" in drawn["headline"]
    assert "goal 0.750." in drawn["headline"]
    assert "wrong type +0.222 by 3 errors; missed +0.050 by 1 error" in drawn["kinds"]
    assert "at 0.81 0.50 of 2 answers are right" in drawn["reliability"]
    assert "from 0.00 on precision 0.615, recall 0.571" in drawn["thresholds"]


@pytest.mark.parametrize("name", NAMES)
def test_each_fits_any_width_and_takes_the_colours_of_the_page(drawn: dict[str, str], name: str) -> None:
    root = ElementTree.fromstring(drawn[name])
    assert root.get("viewBox") and root.get("width") is None and root.get("height") is None
    assert re.findall("#[0-9a-f]{6}", drawn[name]) == []
    one = {"score": "first", "kinds": "second", "reliability": "first"}
    colours = {f"var(--{colour})" for colour in ([one[name]] if name in one else ["first", "second"])}
    assert {"currentColor", *colours} <= set(re.findall(r"currentColor|var\(--\w+\)", drawn[name]))


def test_ids_are_unique_and_whatever_is_pointed_to_is_there(drawn: dict[str, str]) -> None:
    page = "".join(drawn.values())
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids)) > 3
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', page)) == set(ids)


def test_the_users_own_matplotlib_settings_change_nothing(drawn: dict[str, str], gathered: Report) -> None:
    own = {"font.size": 20, "axes.facecolor": "black", "svg.fonttype": "path", "lines.linewidth": 9, "axes.grid": False}
    with matplotlib.rc_context(own):
        assert charts(gathered) == drawn


def test_labels_are_text_and_nothing_else(gathered: Report) -> None:
    labels = ("$x$", "<script>", "人名", "a&b", "x" * 60)
    line = next(iter(gathered.scores["test"].types.values()))
    scores = {split: replace(own, types=dict.fromkeys(labels, line)) for split, own in gathered.scores.items()}
    drawn = charts(replace(gathered, types=labels, scores=scores))["types"]
    texts = [element.text for element in ElementTree.fromstring(drawn).iter("text")]
    assert {"$x$", "<script>", "人名", "a&b", "x" * 17 + "…"} <= set(texts)


@pytest.mark.parametrize("value", [math.nan, math.inf, 0.0])
def test_a_run_that_diverged_or_learned_nothing_is_drawn(value: float, gathered: Report) -> None:
    from tasks.reporting.svg import drawing

    epochs = [Epoch(number, number, 0.1, value, value, 0.0 if value == 0 else math.nan) for number in (1, 2)]
    with drawing():
        assert "<svg" in loss_chart(epochs)
        assert "<svg" in score_chart(epochs, epochs[0], "strict F1")


def test_what_a_run_does_not_have_is_not_drawn(gathered: Report) -> None:
    bare = replace(
        gathered, goal=None, types=(), focus=Focus(0.5, {}, (), {}, None), calibration=Calibration(1.0, (), ())
    )
    drawn = charts(bare)
    assert list(drawn) == ["headline", "loss", "score"]
    assert "goal" not in drawn["headline"]


def test_a_goal_for_another_figure_has_a_row_of_its_own(gathered: Report) -> None:
    goal = Goal("entity_f1 of seen in train: unseen", 0.5, 0.4, None, headline=False)
    drawn = charts(replace(gathered, goal=goal))["headline"]
    assert "entity_f1 of seen in train: unseen of validation 0.400, goal 0.500." in drawn
    texts = [element.text for element in ElementTree.fromstring(drawn).iter("text")]
    assert {"the goal's figure", "0.40, goal 0.50"} <= set(texts)
    bounded = replace(goal, interval=Interval(0.2, 0.6))
    assert charts(replace(gathered, goal=bounded))["headline"].count("<path") > drawn.count("<path")


def test_an_interval_that_does_not_hold_its_figure_is_drawn(gathered: Report) -> None:
    line = replace(gathered.scores["test"].types["PER"], interval=Interval(0.0, 0.1))
    scores = {split: replace(own, types={"PER": line}) for split, own in gathered.scores.items()}
    assert "PER: validation 0.667 (0.000 to 0.100)" in charts(replace(gathered, types=("PER",), scores=scores))["types"]


def test_one_epoch_and_many_are_drawn(gathered: Report) -> None:
    for count in (1, 200):
        history = tuple(Epoch(n + 1, n, 0.1, 1 / (n + 1), 1.0, n / 200) for n in range(count))
        drawn = charts(replace(gathered, history=history, best=history[-1]))
        numbers = [element.text for element in ElementTree.fromstring(drawn["loss"]).iter("text")]
        assert "1" in numbers
        assert len(numbers) < 30
