"""The page as Chromium shows it: silent, self-contained, and readable on a phone and in the dark."""

import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from tasks.reporting.gather import Report
from tasks.reporting.html import html
from tasks.reporting.mistakes import Mistake, Mistakes, Run, WrongPart

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
PATIENCE = 60  # seconds for one answer on a busy machine

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=f"none of {', '.join(NAMES)} is installed")


class Tab:
    """One page of a browser, spoken to in the DevTools protocol."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._session: dict[str, str] = {}
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **values: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": values} | self._session))
        while True:
            message = json.loads(self._socket.recv(timeout=PATIENCE))
            if message.get("id") == number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result
            self.events.append(message)

    def open(self, url: str, *, width: int, scheme: str = "light") -> None:
        self.events.clear()
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 500
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Page.navigate", url=url)
        while not self.happened("Page.loadEventFired"):
            self.events.append(json.loads(self._socket.recv(timeout=PATIENCE)))

    def happened(self, *names: str) -> list[dict[str, Any]]:
        return [event["params"] for event in self.events if event.get("method") in names]

    def value(self, expression: str) -> Any:
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"]["value"]


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    assert CHROMIUM is not None
    command = [
        CHROMIUM,
        "--headless",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
        f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
        "--remote-debugging-port=0",
        "about:blank",
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            address = next(line for line in process.stderr if "DevTools listening on " in line).split()[-1]
            with connect(address, max_size=None, open_timeout=PATIENCE, proxy=None) as socket:
                yield Tab(socket)
        finally:
            process.terminate()


def hard(gathered: Report) -> Report:
    """The finished run with words and labels that are too long for a phone."""
    word = "W" * 400
    runs = (Run("so", None, True), Run(word, "L" * 60, False), Run("it goes", None, True))
    mistake = Mistake(f"{'folder/' * 20}f.conll:1", 0.9, 1, runs, runs, (WrongPart(word, "B-X", "O", 0.9),))
    line = next(iter(gathered.scores["test"].types.values()))
    types = {f"a_label_that_is_rather_long_{n}": line for n in range(20)}
    return replace(
        gathered,
        dataset="d" * 90,
        types=tuple(types),
        scores={split: replace(own, types=types) for split, own in gathered.scores.items()},
        confusion={(label, "none"): 1 for label in types},
        mistakes=Mistakes((mistake,), 1, 1),
    )


@pytest.fixture(scope="module")
def pages(gathered: Report, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    files = {"small": gathered, "hard": hard(gathered)}
    for name, report in files.items():
        (folder / f"{name}.html").write_text(html(report), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in files}


def test_it_is_silent_and_fetches_nothing(tab: Tab, pages: dict[str, Path]) -> None:
    address = pages["small"].as_uri()
    tab.open(address, width=1200)
    assert tab.value("document.compatMode") == "CSS1Compat"
    assert tab.value("document.querySelectorAll('svg.chart').length") == 3
    assert tab.happened("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded") == []
    requests = [event["request"]["url"] for event in tab.happened("Network.requestWillBeSent")]
    assert requests == [address]


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


@pytest.mark.parametrize("selector", ["body", ".quiet", "nav a", "svg text"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_by_day_and_by_night(tab: Tab, pages: dict[str, Path], scheme: str, selector: str) -> None:
    """WCAG 2.2 asks for a contrast of 4.5."""
    tab.open(pages["small"].as_uri(), width=1200, scheme=scheme)
    dark = tab.value("matchMedia('(prefers-color-scheme: dark)').matches")
    assert dark == (scheme == "dark")
    assert tab.value(f"{CONTRAST}('{selector}')") >= 4.5
