"""What a learning curve says in words, and that its page holds the curve."""

import pytest

from hone.curve import page_of
from hone.loop.page import WIDTH, html, terminal
from hone.loop.power_law import Forecast


def forecast(share: float, gain: float = 0.0, low: float = 0.0, high: float = 0.0) -> Forecast:
    return Forecast(share, 0.6 + gain, 0.55, 0.68, gain, low, high)


@pytest.mark.parametrize(
    ("gain", "low", "high", "words"),
    [
        (0.04, 0.02, 0.06, "would likely raise entity_f1: +0.0400, 95 % interval +0.0200 to +0.0600"),
        (0.001, -0.002, 0.004, "would hardly change entity_f1"),
        (0.02, -0.01, 0.05, "Whether twice the data of this kind would raise entity_f1 is not clear"),
    ],
)
def test_the_forecast_is_as_sure_as_its_interval(gain: float, low: float, high: float, words: str) -> None:
    points = [forecast(0.5), forecast(1.0), forecast(2.0, gain, low, high)]
    page = page_of({0.5: 0.55, 1.0: 0.6}, points, points, "entity_f1", 3)
    said = terminal(page)
    assert words in " ".join(said.split()) and max(map(len, said.splitlines())) <= WIDTH
    assert "that of the law itself beyond the data" in " ".join(said.split())
    assert html(page).count("<circle") == 2 and 'class="band"' in html(page)
