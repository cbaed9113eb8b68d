"""The page as Chromium shows it: silent, self-contained, readable on a phone and in the dark, its mistakes filtered."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks import adapters, params
from tasks.reporting.gather import Report, gather
from tasks.reporting.html import html
from tasks.reporting.mistakes import Error, Mistake, Mistakes, Run, Twin
from tests.browser import CHROMIUM, MISSING, Tab, opened

RUN = Path(__file__).parent / "fixtures/run"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=MISSING)


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with opened(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


def hard(gathered: Report) -> Report:
    """The finished run with words and labels that are too long for a phone."""
    word = "W" * 400
    runs = (Run("so", None, True), Run(word, "L" * 60, False), Run("it goes", None, True))
    place = f"{'folder/' * 20}f.conll:1"
    error = Error("missed", "L" * 60, None, word, 0.9, "B-" + "L" * 60, 0.1, (0,), (Twin(place, word, "L" * 60),))
    mistake = Mistake(place, 0.9, runs, runs, (error,))
    line = next(iter(gathered.scores["test"].types.values()))
    types = {f"a_label_that_is_rather_long_{n}": line for n in range(20)}
    return replace(
        gathered,
        dataset="d" * 90,
        types=tuple(types),
        scores={split: replace(own, types=types) for split, own in gathered.scores.items()},
        confusion={(label, "none"): 1 for label in types},
        mistakes=Mistakes((mistake,), 1, 1, 1, (("document", word),)),
    )


@pytest.fixture(scope="module")
def pages(gathered: Report, settings: params.Params, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    two = replace(gathered.mistakes.worst[0], errors=gathered.mistakes.worst[0].errors * 2)
    missed = replace(two.errors[1], kind="missed", gold="LOC", predicted=None)
    two = replace(two, errors=(two.errors[0], missed))
    shown = params.Report(worst_mistakes=40, show_text=False, license="apache-2.0")
    closed = gather(RUN, settings.model_copy(update={"report": shown}), adapters.find("token_classification"))
    files = {
        "small": gathered,
        "hard": hard(gathered),
        "two": replace(gathered, mistakes=replace(gathered.mistakes, worst=(two,))),
        "closed": closed,
    }
    for name, report in files.items():
        (folder / f"{name}.html").write_text(html(report), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in files}


def test_it_is_silent_and_fetches_nothing(tab: Tab, pages: dict[str, Path]) -> None:
    address = pages["small"].as_uri()
    tab.open(address, width=1200)
    assert tab.value("document.compatMode") == "CSS1Compat"
    assert tab.value("document.querySelectorAll('svg.chart').length") == 7
    assert tab.happened("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded") == []
    requests = [event["request"]["url"] for event in tab.happened("Network.requestWillBeSent")]
    assert requests == [address]


def test_a_screen_reader_has_words_for_charts_and_controls(tab: Tab, pages: dict[str, Path]) -> None:
    tab.open(pages["small"].as_uri(), width=1200)
    charts = tab.names("image")
    assert len(charts) == 7
    assert all(len(name) > 40 and any(sign.isdigit() for sign in name) for name in charts)
    assert tab.names("combobox") == ["kind", "type", "slice"]
    assert tab.names("searchbox") == ["words or place"]
    assert tab.names("button") == ["Show all"]
    assert tab.names("search") == ["Mistakes"]


SHOWN = """
[...document.querySelectorAll('.mistakes > li')]
  .filter(e => e.checkVisibility())
  .map(e => e.querySelector('code').textContent.split(':')[1])
"""
COUNT = "document.querySelector('output').value"
ALL = ["66", "11", "50", "1", "27", "45"]


def choose(tab: Tab, name: str, value: str) -> list[str]:
    """Set a filter as a person does; the lines of the sentences that are still there."""
    tab.value(f"""(() => {{
        const field = document.querySelector('[name="{name}"]');
        field.value = {json.dumps(value)};
        field.dispatchEvent(new Event('input', {{ bubbles: true }}));
    }})()""")
    return list(tab.value(SHOWN))


def test_mistakes_are_filtered_and_counted(tab: Tab, pages: dict[str, Path]) -> None:
    tab.open(pages["small"].as_uri(), width=1200)
    assert tab.value(SHOWN) == ALL
    assert tab.value(COUNT) == "6 of 6 sentences"
    assert choose(tab, "kind", "wrong type") == ["66", "11", "1"]
    assert tab.value(COUNT) == "3 of 6 sentences"
    assert choose(tab, "type", "ORG") == ["66", "1"]
    assert choose(tab, "slice", "seen in train: seen") == ["66"]
    assert choose(tab, "kind", "missed") == []
    assert tab.value(COUNT) == "0 of 6 sentences"
    tab.value("document.querySelector('#filters button').click()")
    assert tab.value(SHOWN) == ALL
    assert tab.value("document.activeElement.name") == "kind"
    assert tab.happened("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded") == []


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("tarvik", ["1"]),
        ("of NORDHAVEN  council resigned", ["66"]),  # whatever is marked in it
        ("conll:4", ["45"]),
        ("brindle & sons", ["1"]),
        ("predicted", []),
        ("LOC", []),
    ],
)
def test_mistakes_are_searched(tab: Tab, pages: dict[str, Path], words: str, left: list[str]) -> None:
    tab.open(pages["small"].as_uri(), width=1200)
    assert choose(tab, "q", words) == left


def test_the_address_keeps_the_filter(tab: Tab, pages: dict[str, Path]) -> None:
    tab.open(pages["small"].as_uri(), width=1200)
    choose(tab, "slice", "document: prize night")
    choose(tab, "q", "prize & 50% ?")
    choose(tab, "q", "prize")
    address = tab.value("location.href")
    assert address.endswith("#mistakes?slice=document%3A+prize+night&q=prize")
    tab.open("about:blank", width=1200)
    tab.open(address, width=1200)
    assert tab.value(SHOWN) == ["50"]
    assert tab.value("document.querySelector('[name=slice]').value") == "document: prize night"
    assert tab.value("document.getElementById('mistakes-title').getBoundingClientRect().top") < 800


def test_an_address_of_another_report_shows_all(tab: Tab, pages: dict[str, Path]) -> None:
    tab.open("about:blank", width=1200)
    tab.open(pages["small"].as_uri() + "#mistakes?kind=no+such+kind&slice=x", width=1200)
    assert tab.value(SHOWN) == ALL


def test_what_costs_most_leads_to_its_mistakes_and_back(tab: Tab, pages: dict[str, Path]) -> None:
    tab.open("about:blank", width=1200)
    tab.open(pages["small"].as_uri(), width=1200)
    followed = "new Promise(then => addEventListener('hashchange', () => setTimeout(then), { once: true }))"
    click = "[...document.querySelectorAll('#focus a')].find(e => e.textContent === 'missed').click()"
    tab.call("Runtime.evaluate", expression=f"{click}; {followed}", awaitPromise=True)
    assert tab.value(SHOWN) == ["50"]
    assert tab.value("document.activeElement.id") == "mistakes-title"
    choose(tab, "kind", "")
    assert tab.value("location.hash") == "#mistakes"


def test_all_of_it_works_with_the_keyboard_alone(tab: Tab, pages: dict[str, Path]) -> None:
    tab.open("about:blank", width=1200)
    tab.open(pages["small"].as_uri(), width=1200)
    tab.value("document.getElementById('mistakes-title').focus()")
    met = []
    for _ in range(5):
        tab.press("Tab", 9)
        met.append(tab.value("document.activeElement.name || document.activeElement.textContent"))
    assert met == ["kind", "type", "slice", "q", "Show all"]
    tab.value("document.querySelector('[name=q]').focus()")
    for sign in "kelso":
        tab.press(sign, ord(sign.upper()), sign)
    assert tab.value(SHOWN) == ["27"]
    tab.press("Tab", 9)
    tab.press("Enter", 13, "\r")
    assert tab.value(SHOWN) == ALL
    tab.value("document.querySelector('.errors summary').focus()")
    tab.press("Enter", 13, "\r")
    assert tab.value("document.querySelector('.errors details').open")


def test_an_error_that_does_not_fit_the_filter_steps_back(tab: Tab, pages: dict[str, Path]) -> None:
    tab.open(pages["two"].as_uri(), width=1200)
    assert choose(tab, "kind", "missed") == ["66"]
    assert tab.value("[...document.querySelectorAll('.errors > li')].map(e => e.classList.contains('aside'))") == [
        True,
        False,
    ]
    # One error has to fit all filters, not one each.
    assert choose(tab, "type", "ORG") == []


def test_filters_need_no_text(tab: Tab, pages: dict[str, Path]) -> None:
    tab.open(pages["closed"].as_uri(), width=1200)
    assert choose(tab, "kind", "wrong type") == ["66", "11", "1"]
    assert tab.names("searchbox") == ["place"]
    assert choose(tab, "q", "conll:11") == ["11"]


def test_without_scripts_all_is_there_and_no_dead_control(tab: Tab, pages: dict[str, Path]) -> None:
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.open(pages["small"].as_uri(), width=1200)
        text = tab.call("DOM.getDocument", depth=-1)
        assert len([node for node in walk(text["root"]) if node["nodeName"] == "LI"]) > 6
        assert tab.names("combobox") == []
    finally:
        tab.call("Emulation.setScriptExecutionDisabled", value=False)


def walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("children", []):
        yield from walk(child)


def test_no_script_but_its_own_may_run(tab: Tab, pages: dict[str, Path], tmp_path: Path) -> None:
    page = pages["small"].read_text(encoding="utf-8")
    (tmp_path / "evil.html").write_text(page.replace("<main>", "<main><script>window.evil = 1</script>"))
    tab.open((tmp_path / "evil.html").as_uri(), width=1200)
    assert tab.value("window.evil") is None
    assert choose(tab, "kind", "missed") == ["50"]


@pytest.mark.parametrize("name", ["small", "hard"])
def test_a_phone_scrolls_it_downwards_only(tab: Tab, pages: dict[str, Path], name: str) -> None:
    tab.open(pages[name].as_uri(), width=360)
    tab.value("document.querySelectorAll('details').forEach(part => { part.open = true }); 1")
    assert tab.value("window.innerWidth") == 360
    assert tab.value("document.documentElement.scrollWidth") <= 360
    cut = "[...document.querySelectorAll('p, li, dd, h1, h2, svg')].filter(e => e.getBoundingClientRect().right > 360)"
    assert tab.value(f"{cut}.map(e => e.outerHTML.slice(0, 90))") == []


CONTRAST = """
(selector => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d');
  const light = colour => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [0.2126, 0.7152, 0.0722].reduce((sum, weight, i) => {
      const part = canvas.getImageData(0, 0, 1, 1).data[i] / 255;
      return sum + weight * (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    }, 0);
  };
  const style = getComputedStyle(document.querySelector(selector));
  const ink = light(selector.startsWith('svg') ? style.fill : style.color);
  const paper = light(getComputedStyle(document.body).backgroundColor);
  return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
})
"""


@pytest.mark.parametrize("selector", ["body", ".quiet", "nav a", "svg text", "#filters output", ".errors summary"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_by_day_and_by_night(tab: Tab, pages: dict[str, Path], scheme: str, selector: str) -> None:
    """WCAG 2.2 asks for a contrast of 4.5."""
    tab.open(pages["small"].as_uri(), width=1200, scheme=scheme)
    dark = tab.value("matchMedia('(prefers-color-scheme: dark)').matches")
    assert dark == (scheme == "dark")
    assert tab.value(f"{CONTRAST}('{selector}')") >= 4.5
