"""Pages are plain where they must be, escaped, stable, and narrow in a terminal; charts are whole SVG."""

from xml.etree import ElementTree

from flows.search import Found, Row
from hone.loop.chart import Chart, Point, svg
from hone.loop.corner import corners
from hone.loop.front import front
from hone.loop.page import WIDTH, Page, Section, html, markdown, terminal
from hone.loop.sweep_page import page
from tasks.errors import UserError
from tasks.params import Choices, Goal, Range


def row(number: int, value: float | None, seconds: float | None = 10.0, **params: object) -> Row:
    state = "pruned" if value is None else "done"
    low, high = (None, None) if value is None else (value - 0.05, value + 0.05)
    return Row(number, f"s-{number}", state, params, value, low, high, seconds, {1: 0.1, 2: 0.2}, "TPE", "r")


GOAL = Goal(metric="headline", value=0.8, slice="", budget_hours=0.0)
NASTY = "<b>a|b</b> *c* @d"


def test_texts_are_escaped() -> None:
    made = Page("T", [Section(NASTY, [NASTY], ["x", "y"], [[NASTY, "1"]])])
    assert "<b>" not in html(made) and html(made).count("&lt;b&gt;a|b") == 3
    assert "<b>" not in markdown(made) and r"\*c\* \@d" in markdown(made) and r"a\|b" in markdown(made)
    assert html(made) == html(made)


def test_a_terminal_is_never_exceeded() -> None:
    long = "finetune.some.very.long.name.of.a.param.that.is.longer.than.all.others.of.the.table"
    made = Page("T", [Section("", ["word " * 60], ["param", "a", "b"], [[long, "0.1234", "0.0001 to 0.0002"]])])
    assert max(map(len, terminal(made).splitlines())) <= WIDTH


def test_sections_that_are_not_brief_stay_out_of_the_terminal() -> None:
    made = Page("T", [Section("one", ["1"]), Section("two", ["2"], brief=False)])
    assert "two" not in terminal(made) and "two" in markdown(made) and "two" in html(made)


def test_charts_are_whole_and_inside_their_frame() -> None:
    points = [Point(0.1, 0.5, 0.4, 0.6, "best", "<t>"), Point(1.0, 0.7)]
    line, band = [(0.1, 0.5), (4.0, 0.8)], [(0.1, 0.45, 0.55), (4.0, 0.6, 0.9)]
    drawn = svg(Chart("a & b", "x", "y", points, line, band, level=(0.9, "goal"), log=True))
    tree = ElementTree.fromstring(drawn)
    circles = tree.findall(".//circle")
    assert len(circles) == 2 and all(0 < float(one.get("cx", "")) < 640 for one in circles)
    assert all(0 < float(one.get("cy", "")) < 280 for one in circles)
    assert svg(Chart("none", "x", "y", [])) == ""
    assert "<circle" in svg(Chart("one", "x", "y", [Point(3, 3)], log=True))


def test_the_front_is_what_no_other_beats() -> None:
    rows = [
        row(0, 0.5, 10.0),
        row(1, 0.6, 20.0),
        row(2, 0.55, 30.0),
        row(3, 0.6, 25.0),
        row(4, None),
        row(5, 0.4, 10.0),
    ]
    assert [one.number for one in front(rows)] == [0, 1]
    assert front([row(0, 0.5, None)]) == []


def test_the_page_of_a_search_says_all_of_it() -> None:
    rows = [row(0, 0.5, rate=0.1, head="mlp"), row(1, 0.6, rate=0.25, head="crf"), row(2, None, rate=0.3, head="crf")]
    found = Found("sweep-x", rows, "hours", {"rate": 0.7, "head": 0.3}, 0)
    said = " ".join(terminal(page(found, "f1", GOAL, ["Better: much."], ["extend the space"])).split())
    wanted = [
        "3 trials (2 done, 1 pruned)",
        "hours of sweep.hours are over",
        "s-1",
        "0.6000 (0.5500 to 0.6500)",
        "0.70",
    ]
    wanted += ["rate", "Better: much.", "extend the space", "Of 2 trials only", "of 0.8000, 0.2000 to go"]
    for text in wanted:
        assert text in said, text
    assert "All trials" in html(page(found, "f1", GOAL, [], []))
    empty = Found("sweep-x", rows[2:], "trials", {}, 0)
    assert "No trial came to an end." in terminal(page(empty, "f1", GOAL, [], []))


RATE = Range(param="rate", low=0.01, high=1.0, scale="log")


def free(_: object) -> None:
    """Everything may be tried."""


def test_a_crowd_at_the_edge_asks_for_a_larger_space() -> None:
    crowd = [row(n, 0.9 - n / 100, rate=0.95, head="a") for n in range(4)]
    rest = [row(n, 0.5 - n / 100, rate=0.05, head="b") for n in range(4, 16)]
    space = [RATE, Choices(param="head", choices=["a", "b"])]
    (said,) = corners(space, [*crowd, *rest], free)
    assert said.startswith("4 of the best 4 trials lie at the high end of rate (1): extend the space, high: 4.64")
    low = [row(n, 0.9 - n / 100, rate=0.011) for n in range(4)]
    assert "low end of rate (0.01)" in corners([RATE], [*low, *rest], free)[0]


def test_no_warning_without_a_crowd_or_where_params_end() -> None:
    spread = [row(n, 0.9 - n / 100, rate=0.01 * 100 ** (n % 4 / 4 + 0.1)) for n in range(16)]
    assert corners([RATE], spread, free) == []
    assert corners([RATE], spread[:12], free) == []  # a quarter of 12 is too few to speak of

    def refuse(_: object) -> None:
        raise UserError("at most 1")

    crowd = [row(n, 0.9 - n / 100, rate=0.99) for n in range(16)]
    assert corners([RATE], crowd, refuse) == [] and len(corners([RATE], crowd, free)) == 1


def test_whole_numbers_are_extended_by_whole_ones() -> None:
    layers = Range(param="layers", low=1, high=6, scale="linear")
    crowd = [row(n, 0.9 - n / 100, layers=6) for n in range(16)]
    assert corners([layers], crowd, free)[0].endswith("extend the space, high: 8 say.")
