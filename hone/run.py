"""`hone run`: what a person sees of a run, stage by stage, and the summary at its end."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flows import dag
from flows.alone import alone
from flows.dag import Stage, select
from flows.dvc import Busy, Verdict, clean
from flows.freshness import confirm, remembered
from flows.results import metrics_files, out_file, report_file
from flows.watcher import WATCHER, Watcher
from hone import settings
from hone.terminal import paint
from tasks.errors import UserError
from tasks.yaml_files import read_yaml

COLOURS = {Verdict.RAN: "green", Verdict.RESTORED: "cyan", Verdict.UNCHANGED: "dim"}
PARAMS = Path("params.yaml")
PREPARED = Path("data/prepared")
QUIET = 30.0  # seconds between two lines of progress where no terminal redraws them


def run(engine: str, stages: list[str], force: bool, pull: bool = False) -> int:
    """Bring the pipeline up to date; 0 when done.

    Args:
        engine: ``prefect`` (as a flow) or ``local``.
        stages: up to these; all when empty.
        force: run the named stages (or all) although nothing changed.
        pull: take from DVC's remote what somebody has run already.

    Raises:
        UserError: bad input, a failed stage, no server; one line with the remedy.
    """
    with signals():
        return _run(engine, stages, force, pull)


def _run(engine: str, names: list[str], force: bool, pull: bool) -> int:
    started = time.monotonic()
    everything = dag.stages()
    wanted = select(everything, names)
    if not force and (remembered() or (clean(wanted) if names else confirm(lambda: clean(everything)))):
        for stage in wanted:
            _say(_verdict(stage, Verdict.UNCHANGED, None, wanted))
        _summary(everything, {}, time.monotonic() - started, pull)
        return 0
    seconds: dict[str, float] = {}
    told = WATCHER.set(_watcher(wanted, seconds))
    try:
        with alone(_note):
            _engine(engine, names, force, pull, lambda: _summary(everything, seconds, time.monotonic() - started, pull))
            if everything == wanted:
                confirm(lambda: clean(everything), patient=True)  # so that the next run need not ask
    except (KeyboardInterrupt, SystemExit):
        _note("stopped; no stage and no server is left, 'hone run' goes on after the last finished stage")
        raise
    except Busy as busy:
        raise UserError(f"DVC is busy: {busy}; wait until that process ends, or end it") from None
    finally:
        WATCHER.reset(told)
    return 0


def _engine(engine: str, names: list[str], force: bool, pull: bool, done: Callable[[], None]) -> None:
    if engine == "local":
        from flows.local import run_local

        run_local(names, force=force, pull=pull)
        done()
        return
    # What is logged goes to the server; the terminal has it from the watcher, so Prefect need not show it again.
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    from flows.server import server

    with server(_note) as url:
        from flows.pipeline import run_pipeline

        try:
            run_pipeline(names, force=force, url=url, pull=pull)
        except (UserError, Busy):
            raise
        except Exception as error:
            first = next(iter(str(error).splitlines()), "")
            remedy = f"is the server at {url} in order? 'hone run --engine local' needs none"
            raise UserError(f"Prefect: {type(error).__name__}: {first}; {remedy}") from error
        done()


@contextmanager
def signals() -> Iterator[None]:
    """SIGTERM and a closed terminal end a run as Ctrl-C does: stage first, then server, then we."""

    def leave(number: int, _frame: Any) -> None:
        sys.exit(128 + number)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what it starts with &
    signal.signal(signal.SIGTERM, leave)
    if before[signal.SIGHUP] is not signal.SIG_IGN:  # nohup
        signal.signal(signal.SIGHUP, leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _watcher(wanted: list[Stage], seconds: dict[str, float]) -> Watcher:
    live = sys.stdout.isatty()
    shown = {"progress": False, "time": time.monotonic()}

    def started(stage: Stage) -> None:
        _say(f"{paint(stage.name, 'bold', sys.stdout)}  {paint(stage.desc, 'dim', sys.stdout)}")

    def line(text: str, progress: bool) -> None:
        width = _width()
        if live:
            sys.stdout.write("\r\x1b[2K" if shown["progress"] else "")
            sys.stdout.write(f"  {text[: width - 3]}" if progress else f"  {text}\n")
            sys.stdout.flush()
            shown["progress"] = progress
        elif not progress:
            _say(f"  {text}")
        elif time.monotonic() - shown["time"] >= QUIET:
            shown["time"] = time.monotonic()
            _say(f"  {text}")

    def ended(stage: Stage, verdict: Verdict, took: float) -> None:
        if shown["progress"]:
            sys.stdout.write("\r\x1b[2K")
            shown["progress"] = False
        seconds[stage.name] = took
        _say(_verdict(stage, verdict, took, wanted))

    return Watcher(started=started, line=line, ended=ended, note=_note)


def _verdict(stage: Stage, verdict: Verdict, took: float | None, wanted: list[Stage]) -> str:
    width = max(len(other.name) for other in wanted)
    name = paint(f"{stage.name:<{width}}", "bold", sys.stdout)
    spent = "" if took is None else f"  {took:.1f} s"
    return f"{name}  {paint(verdict, COLOURS[verdict], sys.stdout)}{spent}"


def _summary(everything: list[Stage], seconds: dict[str, float], total: float, pulled: bool) -> None:
    """Scores, where the time went, where the report is, what to try next."""
    lines = []
    metrics = {name: json.loads(path.read_bytes()) for name, path in metrics_files(everything).items()}
    found = out_file(everything, "focus.json")
    words = settings.wording()
    headline = json.loads(found.read_bytes())["headline"]["name"] if found is not None else "entity_f1"
    scores = {split: values[headline] for split, values in metrics.items() if headline in values}
    if scores:
        order = sorted(scores, key=lambda split: (split != "validation", split))
        lenient = [metrics[split].get(f"{headline}_lenient") for split in order]
        text = "   ".join(f"{split} {scores[split]:.4f}" for split in order)
        beside = ", ".join(f"{value:.4f}" for value in lenient if value is not None)
        lines.append(
            (
                words.headline if words else {"entity_f1": "strict entity F1"}.get(headline, headline),
                paint(text, "green", sys.stdout) + (f"   (lenient {beside})" if beside else ""),
            )
        )
    spent = [f"{name} {took:.1f} s" for name, took in sorted(seconds.items(), key=lambda item: -item[1])]
    lines.append(("time", f"{', '.join([*spent, f'{total:.1f} s in all'])}"))
    report = report_file(everything, "report.html")
    if report:
        lines.append(("report", str(report)))
    lines += [("note" if index == 0 else "", text) for index, text in enumerate(_origin(everything, pulled))]
    lines += _goal(everything, metrics.get("validation"))
    lines += [("try next" if index == 0 else "", text) for index, text in enumerate(_ideas(everything))]
    _say("")
    for name, text in lines:
        _say(f"{paint(f'{name:<16}', 'bold', sys.stdout)}  {text}")
    _work_on_next(everything)


def _goal(everything: list[Stage], metrics: dict[str, Any] | None) -> list[tuple[str, str]]:
    """How far it is to the goal of params.yaml, if there is one."""
    block = read_yaml(PARAMS).get("goal") if PARAMS.exists() else None
    path = out_file(everything, "focus.json")
    if not isinstance(block, dict) or metrics is None or path is None:
        return []
    from tasks.params import Goal
    from tasks.params_file import check
    from tasks.scoring import goal

    found = json.loads(path.read_bytes())
    return goal.words(check(Goal, block, PARAMS, "goal."), metrics, found, found["headline"]["name"])


def _origin(everything: list[Stage], pulled: bool) -> list[str]:
    """Versions that the model was made with and that are others here; of a pulled one also the data."""
    cards = [Path(out, "hone.json") for stage in everything for out in stage.outs if Path(out).name == "model"]
    if not any(card.is_file() for card in cards):
        return []
    from hone.provenance import differences

    prepared = PREPARED if pulled else None  # its content is read to the end
    return [line for card in cards if card.is_file() for line in differences(json.loads(card.read_bytes()), prepared)]


def _work_on_next(everything: list[Stage]) -> None:
    """What costs most, by focus.json of evaluate."""
    path = out_file(everything, "focus.json")
    if path is None:
        return
    from tasks.scoring.focus_table import table

    found = json.loads(path.read_bytes())
    if lines := table(found):
        value = f"{found['headline']['name']} on validation if just these were right; 'hone focus' shows more"
        _say(f"\n{paint('what to work on next', 'bold', sys.stdout)}  {paint(value, 'dim', sys.stdout)}")
        for line in lines:
            _say(f"  {line}")


def _ideas(everything: list[Stage]) -> list[str]:
    params = read_yaml(PARAMS) if PARAMS.exists() else {}
    finetune = params.get("finetune")
    rate = finetune.get("learning_rate") if isinstance(finetune, dict) else None
    ideas = []
    if isinstance(rate, float):
        ideas.append(f'hone try "a calmer rate generalizes better" -S finetune.learning_rate={rate / 2:g}')
    if any(Path(out).name == "model" for stage in everything for out in stage.outs):
        ideas.append(settings.predict_command())
    return ideas or ["change one value in params.yaml, then hone run"]


def _width() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except OSError:
        return 100


def _note(text: str) -> None:
    _say(paint(text, "yellow", sys.stdout))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
