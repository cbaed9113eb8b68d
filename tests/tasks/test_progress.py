"""Progress is quiet for short work, a line now and then off a terminal, and a bar on one."""

import io
import sys

import pytest

from tasks import progress


class Clock:
    """A clock that goes on by one second each time it is asked."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def test_short_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress.progress(range(1000), 1000, "count")) == list(range(1000))
    assert capsys.readouterr().err == ""


def test_long_work_says_how_long_it_takes(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress.time, "monotonic", Clock())
    assert len(list(progress.progress(range(25), 25, "count"))) == 25
    assert capsys.readouterr().err.splitlines() == [
        "count: 4 % (1 of 25), 0:48 left",
        "count: 44 % (11 of 25), 0:15 left",
        "count: 84 % (21 of 25), 0:04 left",
    ]


def test_items_may_say_themselves_how_far_they_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress.time, "monotonic", Clock())
    list(progress.progress([10, 20, 30], 40, "read", position=lambda item: item))
    assert capsys.readouterr().err == "read: 50 % (20 of 40), 0:02 left\n"


@pytest.mark.parametrize(
    ("done", "total", "seconds", "line"),
    [
        (0, 10, 3.0, "x: 0 % (0 of 10)"),
        (1000, 2_000_000, 10.0, "x: 0 % (1,000 of 2,000,000), 5:33:10 left"),
        (70_000, None, 12.4, "x: 70,000 done, 12 s"),
        (5, 0, 3.0, "x: 5 done, 3 s"),
    ],
)
def test_the_line(done: int, total: int | None, seconds: float, line: str) -> None:
    assert progress.line("x", done, total, seconds) == line


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert list(progress.progress(range(3), 3, "count")) == [0, 1, 2]
    assert list(progress.progress([5, 9], None, "read", position=lambda item: item)) == [5, 9]
    assert "\n" not in terminal.getvalue()
