"""What a person sees while trials run: a line per outcome, and on a terminal a few lines that move below."""

import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.trials import On, Outcome, Recorded, Trial, list_trials
from flows.trials.recorded import worked
from hone.terminal import paint

if TYPE_CHECKING:
    from flows.trials.hands import Running

COLOURS = {"ran": "green", "known": "dim", "failed": "red", "pruned": "yellow"}
QUIET = 30.0  # seconds between two lines of progress where no terminal redraws them
REDRAW = 0.5


class TrialView:
    """The terminal of a fan-out.

    Args:
        total: trials asked for; None while that is open.
        metric: shown with each outcome, from validation.
        before: trials that are recorded already, from which the time of one is guessed until some have ended.
    """

    def __init__(self, total: int | None, metric: str, before: Sequence[Recorded] = ()) -> None:
        self._total = total
        self._metric = metric
        self._seconds: list[float] = []
        self._guess = [seconds for one in before if (seconds := worked(one.cost)) is not None][-10:]
        self._done = 0
        self._begun: dict[str, float] = {}  # when a trial's log came: until then it waits for a core
        self._noted: set[str] = set()
        self._drawn = 0
        self._last = time.monotonic()
        self._live = sys.stdout.isatty()

    def outcome(self, outcome: Outcome) -> None:
        """One trial has ended."""
        self._done += 1
        if outcome.state == "ran" and "seconds" in outcome.cost:
            self._seconds.append(float(outcome.cost["seconds"]))
        name = paint(outcome.trial.name, "bold", sys.stdout)
        state = paint(outcome.state, COLOURS[outcome.state], sys.stdout)
        figure = outcome.metrics.get("validation", {}).get(self._metric)
        words = [f"{name}  {state}"]
        words += [f"{outcome.cost['seconds']:.0f} s"] if outcome.state == "ran" else []
        words += [f"validation {figure:.4f}"] if isinstance(figure, int | float) else []
        words += [f"as {outcome.name}"] if outcome.name and outcome.name != outcome.trial.name else []
        self._clear()
        say("  ".join(words))
        if outcome.error:
            say(f"  {outcome.error}")
            say(f"  log {short(outcome.log)}")
        if outcome.rev:
            self._note(outcome.rev, outcome.cost)

    def _note(self, rev: str, cost: Mapping[str, Any]) -> None:
        """What a trial was made with that is not here, each such thing once."""
        from hone.provenance import differences, of_trial

        for line in differences(of_trial(rev, cost), None):
            if line not in self._noted:
                self._noted.add(line)
                say(f"  note: {line}")

    def tick(self, running: "list[Running]") -> None:
        """How what is at work gets on."""
        now = time.monotonic()
        for one in running:
            if one.trial.name not in self._begun and one.log.exists():
                self._begun[one.trial.name] = now
                self._clear()
                say(f"{one.trial.name}  started  {paint('log ' + short(one.log), 'dim', sys.stdout)}")
        if now - self._last < (REDRAW if self._live else QUIET):
            return
        self._last = now
        running = [one for one in running if one.trial.name in self._begun] or running  # no logs of other machines
        if not self._live:
            say(self._status(running, now))
            return
        width = _width() - 1
        lines = [f"  {one.trial.name}  {_last_line(one.log)}"[:width] for one in running[:8]]
        self._clear()
        lines.append(paint(self._status(running, now)[:width], "cyan", sys.stdout))
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()
        self._drawn = len(lines)

    def note(self, text: str) -> None:
        """Something about the fan-out itself."""
        self._clear()
        say(paint(text, "yellow", sys.stdout))

    def close(self) -> None:
        """Take the moving lines away."""
        self._clear()

    def _status(self, running: "list[Running]", now: float) -> str:
        of = f" of {self._total}" if self._total is not None else ""
        left = self._left(running, now)
        clock = f", about {_clock(left)} left" if left else ""  # it takes longer than the others: who knows
        return f"{self._done}{of} done, {len(running)} at work{clock}"

    def _left(self, running: "list[Running]", now: float) -> float | None:
        known = self._seconds or self._guess
        if not known or self._total is None or not running:
            return None
        each = sum(known) / len(known)
        waiting = self._total - self._done - len(running)
        rest = [max(0.0, each - (now - self._begun.get(one.trial.name, one.since))) for one in running]
        return max([(sum(rest) + waiting * each) / len(running), *rest])

    def _clear(self) -> None:
        if self._drawn:
            sys.stdout.write(f"\x1b[{self._drawn}A\x1b[J")
            self._drawn = 0


def run_shown(
    trials: Sequence[Trial], metric: str, *, on: On, address: str | None, git_remote: str | None, quiet: bool = False
) -> list[Outcome]:
    """`flows.trials.run_trials` with its view on the terminal, none where ``quiet``; each outcome shows ``metric``."""
    from flows.trials import run_trials

    view = TrialView(len(trials), metric, list_trials())
    told: dict[str, Any] = {"on_outcome": view.outcome, "on_tick": view.tick, "say": view.note}
    with stoppable(view.close):
        return run_trials(trials, on=on, address=address, git_remote=git_remote, **({} if quiet else told))


@contextmanager
def stoppable(close: Callable[[], None]) -> Iterator[None]:
    """Call ``close`` at the end; where somebody ends it early, say on stderr how it goes on."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        close()
        sys.stderr.write("stopped; nothing of it runs on, and the same command goes on after the finished trials\n")
        raise
    finally:
        close()


def say(text: str) -> None:
    """One line on stdout, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def short(path: Path) -> str:
    """``path`` from the current folder where it lies below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _last_line(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 400))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return "waits for a free place"
    lines = [line.strip() for line in re.split(r"[\r\n]+", text) if line.strip()]
    return lines[-1] if lines else "starts"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _width() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except OSError:
        return 80
