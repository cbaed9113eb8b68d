"""`hone`: every command with its options and examples. Bodies are imported when their command runs."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from hone.terminal import paint
from tasks.errors import UserError

PARAMS = Path("params.yaml")

app = typer.Typer(
    name="hone",
    help="Sharpen one NLP model at a time: every iteration a reproducible, cached pipeline run.\n\n"
    "\b\nExamples:\n"
    "  hone run                      run what has changed: preprocess, finetune, evaluate, report\n"
    "  hone diff                     is it better than the main branch?\n"
    "  hone why finetune             what changed since this stage last ran\n"
    '  hone predict "Ann met Bob."   what the model finds\n'
    "  hone doctor                   is everything in place?",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # rich alone takes a third of the time that --help may take
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable: one JSON document.")]


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"hone {version('hone')}")
        except PackageNotFoundError:
            raise UserError("hone is not installed, so it has no version; 'make setup' installs it") from None
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """The options that stand before the command."""


@app.command(short_help="Run the pipeline; only what has changed.")
def run(
    stages: Annotated[
        list[str] | None, typer.Argument(metavar="[STAGE]...", help="Up to these stages; none means all.")
    ] = None,
    engine: Annotated[
        Literal["prefect", "local"],
        typer.Option(help="prefect: as a flow, seen in its server; local: without Prefect."),
    ] = "prefect",
    force: Annotated[bool, typer.Option("--force", "-f", help="Run the stages even if nothing changed.")] = False,
) -> None:
    """Run the pipeline; what has not changed is taken from the cache.

    \b
    Examples:
      hone run                            everything that is out of date
      hone run preprocess                 only up to this stage
      hone run --force finetune           train again although nothing changed
      hone run --engine local             without Prefect
    """
    with _project():
        from tasks.params import load

        load(PARAMS)
        from hone.run import run as body

        raise typer.Exit(body(engine=engine, stages=stages or [], force=force))


@app.command(short_help="What changed since a stage last ran.")
def why(
    stage: Annotated[str, typer.Argument(metavar="STAGE", help="A stage of dvc.yaml.")],
    as_json: AsJson = False,
) -> None:
    """Say what changed since STAGE last ran: params, files, imported helpers, with old and new value.

    \b
    Examples:
      hone why finetune
      hone why evaluate --json
    """
    with _project():
        from hone.why import why as body

        raise typer.Exit(body(stage=stage, as_json=as_json))


@app.command(short_help="What to work on next, and each mistake.")
def focus(
    kind: Annotated[str | None, typer.Option(help="The mistakes of this kind, as in the table.")] = None,
    type_: Annotated[str | None, typer.Option("--type", help="Those with this gold or predicted type.")] = None,
    suspects: Annotated[bool, typer.Option("--suspects", help="Gold that may be wrong, for an annotator.")] = False,
    most: Annotated[int, typer.Option(min=1, help="Mistakes or suspects that are listed, the surest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show what costs most on validation: what the headline would be if one kind, type or slice were right.

    \b
    Examples:
      hone focus
      hone focus --kind missed --type ORG
      hone focus --suspects --json
    """
    with _project():
        from hone.focus import focus as body

        raise typer.Exit(body(kind=kind, type_=type_, suspects=suspects, most=most, as_json=as_json))


@app.command(short_help="Score any file of tagged sentences.")
def score(
    gold: Annotated[Path, typer.Argument(metavar="GOLD", help="The right tags.", resolve_path=True)],
    predicted: Annotated[
        list[Path], typer.Argument(metavar="PRED [PRED2]", help="One system, or two to compare.", resolve_path=True)
    ],
    scheme: Annotated[
        Literal["IOB1", "IOB2", "BIOES", "BILOU", "BMES"] | None,
        typer.Option(help="How the tags are written; none means as gold looks."),
    ] = None,
    gold_column: Annotated[int, typer.Option(help="Column of the tag in GOLD, from 0; -1 is the last.")] = -1,
    pred_column: Annotated[int, typer.Option(help="The same of PRED.")] = -1,
    markdown: Annotated[bool, typer.Option("--markdown", help="A table for a pull request.")] = False,
    as_json: AsJson = False,
) -> None:
    """Score any file of tagged sentences with intervals; with a second one, say which of them is better.

    Files hold CoNLL columns (a word a line, its tag last), or JSON lines with tokens and tags or as hone writes them.

    \b
    Examples:
      hone score test.conll theirs.conll
      hone score test.conll theirs.jsonl data/predictions.test.jsonl
      hone score both.txt both.txt --gold-column -2      gold and prediction in one file
    """
    with _project():
        from hone.score import score as body

        form: Literal["text", "markdown", "json"] = "json" if as_json else "markdown" if markdown else "text"
        raise typer.Exit(
            body(
                gold=gold,
                predicted=predicted,
                form=form,
                scheme=scheme,
                gold_column=gold_column,
                pred_column=pred_column,
            )
        )


@app.command(short_help="Is a change better? The verdict on test.")
def diff(
    before: Annotated[
        str | None,
        typer.Argument(metavar="[REV]", help="Compare with this; none means where HEAD left the main branch."),
    ] = None,
    after: Annotated[
        str | None, typer.Argument(metavar="[REV2]", help="What is compared; none means the workspace.")
    ] = None,
    form: Annotated[Literal["text", "markdown"], typer.Option("--format", help="For a terminal or a pull request.")] = (
        "text"
    ),
    gate: Annotated[bool, typer.Option("--gate", help="Exit code 1 if a gate of params.yaml fails.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Write to this file.", resolve_path=True)] = None,
    as_json: AsJson = False,
) -> None:
    """Compare the workspace, or REV2, with REV on test: verdict, figures, errors, slices, sentences fixed and broken.

    A side may be several revisions or trials, separated by commas: seeds of one system, all of which count.

    \b
    Examples:
      hone diff                          this workspace against where HEAD left the main branch
      hone diff v1.0                     this workspace against a tag
      hone diff main my-branch           two revisions
      hone diff a1,a2,a3 b1,b2,b3        several seeds on either side
      hone diff --gate --format markdown --out verdict.md
    """
    with _project():
        from hone.diff import diff as body

        raise typer.Exit(body(before=before, after=after, form="json" if as_json else form, gate=gate, out=out))


@app.command(short_help="Settle merge conflicts in dvc.lock and metrics.")
def resolve() -> None:
    """Settle the conflicts that a merge leaves in dvc.lock and in the metrics files, and say what runs next.

    \b
    Examples:
      hone resolve
    """
    with _project():
        from hone.resolve import resolve as body

        raise typer.Exit(body())


@app.command(short_help="What the trained model finds in a text.")
def predict(
    texts: Annotated[list[str] | None, typer.Argument(metavar="[TEXT]...", help="Sentences to read.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="A text file with one sentence a line.", resolve_path=True)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what the trained model finds in a text.

    \b
    Examples:
      hone predict "Angela Merkel visited Toyota in Nagoya."
      hone predict --file notes.txt --json
      echo "Ann met Bob." | hone predict
    """
    with _project():
        from hone.predict import predict as body

        raise typer.Exit(body(texts=texts or [], file=file, as_json=as_json))


@app.command(name="import", short_help="Bring a dataset into data/raw.")
def import_(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A file, a folder, or hub:ID@REVISION[:CONFIG].")],
    name: Annotated[str, typer.Option("--as", metavar="NAME", help="Its folder below data/raw.")],
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace a dataset of that name.")] = False,
) -> None:
    """Copy a dataset to data/raw/NAME, put it under DVC and print the params that choose it.

    \b
    Examples:
      hone import ~/corpora/wnut17 --as wnut17
      hone import reviews.jsonl --as reviews
      hone import hub:some-team/some-corpus@v1.0:english --as english
    """
    if not source.startswith("hub:"):
        source = str(Path.cwd() / Path(source).expanduser())
    with _project():
        from hone.importing import import_dataset

        raise typer.Exit(import_dataset(source=source, name=name, force=force))


@app.command(short_help="Check that everything is in place.")
def doctor(as_json: AsJson = False) -> None:
    """Check git, DVC, versions, disk, threads, code, server and Hub, each with its remedy.

    Exit code 1 if a check fails.

    \b
    Examples:
      hone doctor
      hone doctor --json
    """
    with _project():
        from hone.doctor import doctor as body

        raise typer.Exit(body(as_json=as_json))


Setting = Annotated[
    list[str] | None,
    typer.Option("--set", "-S", metavar="KEY=VALUE", help="A value of params.yaml, as often as needed."),
]
On = Annotated[
    Literal["threads", "local", "dask", "ray"],
    typer.Option(help="threads: this machine, as a Prefect flow; local: without Prefect; dask, ray: a cluster."),
]
Address = Annotated[str | None, typer.Option(help="Of a running Dask scheduler or Ray cluster.")]
GitRemote = Annotated[
    str | None,
    typer.Option("--git-remote", metavar="NAME", help="Hands trials to workers that do not see this folder."),
]


@app.command(name="try", short_help="Test one hypothesis as a trial.")
def try_(
    reason: Annotated[str, typer.Argument(metavar="REASON", help="The hypothesis, in your words.")],
    settings: Setting = None,
    expect: Annotated[
        float | None, typer.Option(metavar="POINTS", help="Rise of the headline metric, in points (hundredths).")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the experiment; made from the settings if none.")] = None,
    on: On = "threads",
    address: Address = None,
    git_remote: GitRemote = None,
) -> None:
    """Run the pipeline once with some params changed, in a worktree of its own, and say whether the hypothesis held.

    Your files are not touched; what you changed and did not commit is carried along. The result is a DVC experiment.

    \b
    Examples:
      hone try "a calmer start helps rare types" --expect +0.5 -S finetune.warmup_ratio=0.2
      hone try "fewer epochs suffice" -S finetune.epochs=5 -S finetune.learning_rate=4e-4
    """
    with _project():
        from hone import settings as given

        overrides = given.parse(settings or [])
        given.check(overrides)
        from hone.try_ import try_ as body

        raise typer.Exit(
            body(
                reason=reason,
                overrides=overrides,
                expect=expect,
                name=name,
                metric=given.headline(),
                on=on,
                address=address,
                git_remote=git_remote,
            )
        )


@app.command(short_help="The same params with several seeds.")
def repeat(
    seeds: Annotated[int, typer.Option(min=1, help="How many, from that of params.yaml on.")] = 5,
    settings: Setting = None,
    on: On = "threads",
    address: Address = None,
    git_remote: GitRemote = None,
    as_json: AsJson = False,
) -> None:
    """Run the same params with several seeds: mean, standard deviation, interval, best and median model, per type too.

    Seeds that ran before are not run again: 8 after 5 runs three.

    \b
    Examples:
      hone repeat --seeds 5
      hone repeat --seeds 5 -S finetune.epochs=5
      hone repeat --seeds 10 --on dask --address tcp://127.0.0.1:8786
    """
    with _project():
        from hone import settings as given

        overrides = given.parse(settings or [])
        given.check(overrides)
        from hone.repeat import repeat as body

        raise typer.Exit(
            body(
                seeds=seeds,
                overrides=overrides,
                metric=given.headline(),
                on=on,
                address=address,
                git_remote=git_remote,
                as_json=as_json,
            )
        )


@app.command(short_help="Search the space in params.yaml.")
def sweep(
    trials: Annotated[
        int | None, typer.Option(min=1, help="In all, earlier calls counted; none: sweep.trials.")
    ] = None,
    hours: Annotated[float | None, typer.Option(min=0, help="No trial starts later; 0 sets no limit.")] = None,
    until_goal: Annotated[
        bool, typer.Option("--until-goal", help="End when a trial's interval on validation clears the goal.")
    ] = False,
    storage: Annotated[str | None, typer.Option(metavar="URL", help="For Optuna; none: sweep.storage.")] = None,
    on: On = "threads",
    address: Address = None,
    git_remote: GitRemote = None,
    as_json: AsJson = False,
) -> None:
    """Search the space in params.yaml (sweep:), confirm the winner over fresh seeds, say what mattered.

    After a kill call it again: it goes on where it was. More --trials go on where it ended.

    \b
    Examples:
      hone sweep
      hone sweep --trials 40
      hone sweep --hours 8 --until-goal
      hone sweep --storage postgresql+psycopg://me@127.0.0.1/hone --on dask
    """
    with _project():
        from tasks.params import load

        settings = load(PARAMS)
        changes = {"trials": trials, "hours": hours, "storage": storage}
        block = settings.sweep.model_copy(update={key: value for key, value in changes.items() if value is not None})
        from hone.sweep import sweep as body

        raise typer.Exit(
            body(
                settings=settings,
                block=block,
                until_goal=until_goal,
                on=on,
                address=address,
                git_remote=git_remote,
                as_json=as_json,
            )
        )


Seeds = Annotated[int | None, typer.Option(min=1, help="Of each, from that of params.yaml on; none: params.yaml.")]


@app.command(short_help="What each choice is worth, by leaving it out.")
def ablate(
    seeds: Seeds = None,
    on: On = "threads",
    address: Address = None,
    git_remote: GitRemote = None,
    as_json: AsJson = False,
) -> None:
    """Turn off one choice at a time (ablate: in params.yaml), over seeds, and rank what each is worth.

    \b
    Examples:
      hone ablate
      hone ablate --seeds 5
    """
    with _project():
        from tasks.params import load

        settings = load(PARAMS)
        from hone.ablate import ablate as body

        raise typer.Exit(
            body(
                settings=settings,
                seeds=seeds or settings.ablate.seeds,
                on=on,
                address=address,
                git_remote=git_remote,
                as_json=as_json,
            )
        )


@app.command(short_help="What more data would bring.")
def curve(
    seeds: Seeds = None,
    on: On = "threads",
    address: Address = None,
    git_remote: GitRemote = None,
    as_json: AsJson = False,
) -> None:
    """Train on growing parts of train (curve: in params.yaml), fit a curve, say what more data would likely bring.

    \b
    Examples:
      hone curve
      hone curve --seeds 5 --json
    """
    with _project():
        from tasks.params import load

        settings = load(PARAMS)
        from hone.curve import curve as body

        raise typer.Exit(
            body(
                settings=settings,
                seeds=seeds or settings.curve.seeds,
                on=on,
                address=address,
                git_remote=git_remote,
                as_json=as_json,
            )
        )


@app.command(short_help="Every iteration, and what was learned.")
def ledger(
    lessons: Annotated[
        bool, typer.Option("--lessons", help="By param: what helped, what did not, what was never certain.")
    ] = False,
    last: Annotated[int, typer.Option(min=1, help="Iterations that the terminal shows.")] = 20,
    trials: Annotated[bool, typer.Option("--trials/--commits", help="With the trials, or the commits alone.")] = True,
    as_json: AsJson = False,
) -> None:
    """List every iteration: hypothesis, change, figures, verdict against the best before it, cost, looks at test.

    All of it comes from Git and DVC. The page (Markdown and HTML with the trend) is written each time.

    \b
    Examples:
      hone ledger
      hone ledger --last 100 --commits
      hone ledger --lessons
    """
    with _project():
        from tasks.params import load

        settings = load(PARAMS)
        from hone.ledger import ledger as body

        raise typer.Exit(body(settings=settings, lessons=lessons, last=last, trials=trials, as_json=as_json))


@app.command(short_help="Take a trial over into params.yaml.")
def adopt(
    trial: Annotated[str, typer.Argument(metavar="TRIAL", help="Its name, or the beginning of its commit.")],
) -> None:
    """Put a trial's params into params.yaml and restore its outs from the cache without training, ready to commit.

    \b
    Examples:
      hone adopt epochs-5
      hone adopt repeat-seed-3
    """
    with _project():
        from hone.adopt import adopt as body

        raise typer.Exit(body(name=trial))


@app.command(short_help="Drop models of weaker trials.")
def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what can go.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove from the cache the models of trials beyond the best keep_models (params.yaml); they can be rebuilt.

    What a branch, a tag, a stash, a checkout, a kept trial or somebody else's experiment needs stays.

    \b
    Examples:
      hone gc --dry-run
      hone gc
    """
    with _project():
        from tasks.params import load

        load(PARAMS)
        from hone import settings as given
        from hone.gc import gc as body

        raise typer.Exit(body(dry_run=dry_run, metric=given.headline(), as_json=as_json))


@app.command(short_help="Run the pipeline on a schedule.")
def schedule(
    cron: Annotated[str | None, typer.Option(metavar="CRON", help="Minute, hour, day, month, weekday.")] = None,
    interval: Annotated[
        int | None, typer.Option(metavar="SECONDS", min=1, help="Seconds from one run to the next.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the deployment in Prefect.")] = "hone",
    timezone: Annotated[
        str | None,
        typer.Option(metavar="ZONE", help="Time zone of --cron, e.g. Europe/Berlin; none means UTC."),
    ] = None,
) -> None:
    """Run the pipeline on a schedule, against a running Prefect server, until Ctrl-C.

    \b
    Examples:
      hone schedule --cron "0 3 * * *"                     every night at three
      hone schedule --cron "0 3 * * 1" --timezone Europe/Berlin
      hone schedule --interval 3600                        every hour
    """
    with _project():
        from tasks.params import load

        load(PARAMS)
        from hone.schedule import schedule as body

        raise typer.Exit(body(cron=cron, interval=interval, name=name, timezone=timezone))


@app.command(short_help="Start a Prefect server on loopback.")
def server(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 4200,
) -> None:
    """Start a Prefect server on loopback, for schedules and for looking at runs, until Ctrl-C.

    \b
    Examples:
      hone server
      hone server --port 4300
    """
    with _project():
        from hone.server import server as body

        raise typer.Exit(body(port=port))


@contextmanager
def _project() -> Iterator[None]:
    """Work in the project's folder, found from the current one upwards."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "dvc.yaml").is_file() and (folder / PARAMS).is_file():
            os.chdir(folder)
            yield
            return
    raise UserError(f"{here}: no project here or above (one has dvc.yaml and params.yaml); go into your clone of hone")


def main() -> None:
    """The script `hone`: 0 done, 1 a UserError or a failed check, 2 wrong usage, 130 interrupted."""
    try:
        app(prog_name="hone")
    except UserError as error:
        sys.stderr.write(f"{paint('error:', 'red', sys.stderr)} {error}\n")
        sys.exit(1)
    except OSError as error:
        if error.filename is None:
            raise
        sys.stderr.write(
            f"{paint('error:', 'red', sys.stderr)} {error.filename}: {error.strerror}; "
            "'hone doctor' looks at disk and rights\n"
        )
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        _flush()


def _flush() -> None:
    """Flush stdout; a reader that left (``hone why x | head -1``) is no error worth a traceback."""
    try:
        sys.stdout.flush()
    except OSError as error:
        if error.errno != errno.EPIPE:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
