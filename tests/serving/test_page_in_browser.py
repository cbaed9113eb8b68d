"""The page to try a model, in Chromium: entities light up as one types, labels are bars, text stays text."""

import pytest

from tests.browser import CHROMIUM, MISSING, opened

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=MISSING)

MARKS = "[...document.querySelectorAll('#lit mark')].map(e => e.textContent)"
FOUND = "[...document.querySelectorAll('#found li')].map(e => [...e.querySelectorAll('span')].map(s => s.textContent))"
STATE = "document.getElementById('state').textContent"
TROUBLE = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


def visit(tab, server, *, width=900, scheme="light"):
    """Open the page and wait until it knows the model and its field has the focus."""
    tab.open(f"{server.url}/", width=width, scheme=scheme)
    tab.until("document.getElementById('model').textContent.includes('version')")
    tab.until("document.activeElement.id === 'text'")


@pytest.fixture
def page(tab, server):
    visit(tab, server)
    return tab


def write(tab, text):
    tab.call("Input.insertText", text=text)


def test_entities_light_up_as_one_types_and_nothing_is_fetched_elsewhere(page, server):
    for sign in "Ann met Bob":  # the field has the focus from the start
        page.press(sign, ord(sign.upper()), sign)
    page.until(f"{STATE} === '2 entities'")
    assert page.value(MARKS) == ["Ann", "Bob"]
    assert page.value(FOUND) == [["Ann", "A", "75.0 %"], ["Bob", "B", "75.0 %"]]
    assert page.value("document.getElementById('lit').textContent") == "Ann met Bob\u200b"
    assert page.happened(*TROUBLE) == []
    addresses = {event["request"]["url"] for event in page.happened("Network.requestWillBeSent")}
    own = {f"{server.url}/{path}" for path in ("", "page.css", "page.js", "ready", "predict")}
    assert {address for address in addresses if not address.startswith("data:")} == own


def test_it_asks_once_one_pauses_and_not_for_each_key(page):
    for sign in "Ann met Bob and Eve":
        page.press(sign, ord(sign.upper()), sign)
    page.until(f"{STATE} === '3 entities'")
    asked = [event for event in page.happened("Network.requestWillBeSent") if event["request"]["method"] == "POST"]
    assert 1 <= len(asked) < len("Ann met Bob and Eve") / 2


def test_an_answer_that_is_overtaken_is_given_up(page):
    """The first request never ends by itself; the second one stops it and its answer is shown."""
    page.value("""
      window.stopped = 0;
      window.really = window.fetch;
      window.fetch = (path, options) => new Promise((_, refuse) => options.signal.addEventListener('abort', () => {
        window.stopped += 1;
        refuse(options.signal.reason);
      }));
      1
    """)
    write(page, "Ann")
    page.value("document.getElementById('try').requestSubmit()")
    page.value("window.fetch = window.really; 1")
    write(page, " met Bob")
    page.until(f"{STATE} === '2 entities'")
    assert page.value("window.stopped") == 1


def test_marks_move_with_the_text_while_an_answer_is_awaited(page):
    write(page, "Ann met Bob")
    page.until(f"{STATE} === '2 entities'")
    page.value("window.fetch = () => new Promise(() => {}); 1")
    page.value("document.getElementById('text').setSelectionRange(4, 4)")
    write(page, "never ")
    assert page.value(MARKS) == ["Ann", "Bob"]
    page.value("document.getElementById('text').setSelectionRange(1, 1)")
    write(page, "x")
    assert page.value(MARKS) == ["Bob"]


def test_places_count_characters_and_text_is_never_html(page):
    text = "🙂🙂 <img src=x onerror=window.evil=1> Ann & <b>Bob</b>"
    write(page, text)
    page.until(f"{STATE}.includes('entities')")
    assert page.value(MARKS) == ["Ann", "Bob"]
    assert page.value("document.getElementById('lit').textContent") == text + "\u200b"
    assert page.value("document.querySelectorAll('main img, main b').length") == 0
    assert page.value("window.evil") is None
    assert page.happened(*TROUBLE) == []


def test_marks_lie_under_their_words(page):
    write(page, "word " * 60 + "Ann\n\nand Bob")
    page.until(f"{STATE} === '2 entities'")
    same = """['fontSize', 'fontFamily', 'lineHeight', 'paddingLeft', 'paddingTop', 'borderLeftWidth', 'letterSpacing']
      .filter(key => getComputedStyle(document.getElementById('lit'))[key]
        !== getComputedStyle(document.getElementById('text'))[key])"""
    assert page.value(same) == []
    boxes = "['lit', 'text'].map(id => document.getElementById(id).getBoundingClientRect())"
    assert page.value(f"(([a, b]) => [a.x - b.x, a.y - b.y, a.width - b.width, a.height - b.height])({boxes})") == [
        0, 0, 0, 0,
    ]  # fmt: skip
    assert page.value("document.getElementById('lit').scrollHeight <= document.getElementById('lit').clientHeight")


def test_all_is_reached_and_named_without_a_mouse(page):
    assert page.names("textbox") == ["Text"]
    assert page.value("document.activeElement.id") == "text"
    page.press("Tab", 9)
    assert page.value("document.activeElement.textContent") == "OpenAPI"


def test_clearing_the_text_clears_the_page(page):
    write(page, "Ann")
    page.until(f"{STATE} === '1 entity'")
    page.value("document.getElementById('text').select()")
    page.press("Backspace", 8)
    page.until(f"{STATE}.startsWith('Answers come')")
    assert page.value(MARKS) == [] and page.value(FOUND) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_by_day_and_by_night(tab, server, scheme):
    """WCAG 2.2 asks for a contrast of 4.5, on a mark as well."""
    visit(tab, server, scheme=scheme)
    write(tab, "Ann Bob Cid Dee Eve Fay Gus Hal")
    tab.until(f"{STATE} === '8 entities'")
    assert tab.value(f"{LEAST_CONTRAST}") >= 4.5


LEAST_CONTRAST = """
(() => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const light = (...layers) => {
    for (const layer of layers) { canvas.fillStyle = layer; canvas.fillRect(0, 0, 1, 1); }
    return [0.2126, 0.7152, 0.0722].reduce((sum, weight, i) => {
      const part = canvas.getImageData(0, 0, 1, 1).data[i] / 255;
      return sum + weight * (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    }, 0);
  };
  const style = element => getComputedStyle(element);
  const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const paper = style(document.body).backgroundColor;
  const panel = style(document.querySelector('.paper')).backgroundColor;
  const ink = light(style(document.getElementById('text')).color);
  const marks = [...document.querySelectorAll('mark')].map(
    mark => contrast(ink, light(paper, panel, style(mark).backgroundColor)));
  const quiet = contrast(light(style(document.querySelector('.quiet')).color), light(paper));
  return Math.min(...marks, quiet);
})()
"""


def test_a_phone_scrolls_it_downwards_only(tab, server):
    visit(tab, server, width=360)
    write(tab, "W" * 400 + " met Bob")
    tab.until(f"{STATE} === '2 entities'")
    assert tab.value("document.documentElement.scrollWidth") <= 360


def test_labels_are_bars(tab, start, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/export.json").write_text('{"kind": "labels"}')
    with start() as server:
        visit(tab, server)
        write(tab, "well done!")
        tab.until(f"{STATE} === 'praise, 60.0 %'")
        assert tab.value(FOUND) == [["praise", "", "60.0 %"], ["any other label", "", "40.0 %"]]
        width = "[...document.querySelectorAll('.bar i')].map(e => e.clientWidth / e.parentElement.clientWidth)"
        first, second = tab.value(width)
        assert first == pytest.approx(0.6, abs=0.01) and second == pytest.approx(0.4, abs=0.01)


def test_a_key_is_asked_for_and_a_refusal_is_said(tab, start):
    key = "k" * 20
    with start(HONE_API_KEYS=key) as server:
        visit(tab, server)
        tab.until("!document.getElementById('key').hidden")
        assert tab.names("textbox") == ["Text", "API key"]
        write(tab, "Ann")
        tab.until(f"{STATE}.startsWith('no API key')")
        tab.value("document.getElementById('secret').focus()")
        write(tab, key)
        tab.until(f"{STATE} === '1 entity'")
        assert tab.value(MARKS) == ["Ann"]
