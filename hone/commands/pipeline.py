"""Commands that run the pipeline and keep it in order."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from hone.commands.options import AsJson
from hone.commands.project import PARAMS, project

commands = typer.Typer()


@commands.command(short_help="Run the pipeline; only what has changed.")
def run(
    stages: Annotated[
        list[str] | None, typer.Argument(metavar="[STAGE]...", help="Up to these stages; none means all.")
    ] = None,
    engine: Annotated[
        Literal["prefect", "local"],
        typer.Option(help="prefect: as a flow, seen in its server; local: without Prefect."),
    ] = "prefect",
    force: Annotated[bool, typer.Option("--force", "-f", help="Run the stages even if nothing changed.")] = False,
    pull: Annotated[bool, typer.Option("--pull", help="Take from DVC's remote what somebody has run already.")] = False,
) -> None:
    """Run the pipeline; what has not changed is taken from the cache.

    \b
    Examples:
      hone run                            everything that is out of date
      hone run preprocess                 only up to this stage
      hone run --force finetune           train again although nothing changed
      hone run --engine local             without Prefect
      hone run --pull                     train nothing that a colleague has trained and pushed (hone push)
    """
    with project():
        from hone.run import run as body
        from hone.settings import refuse_linked_dataset
        from tasks.params_file import load

        refuse_linked_dataset(load(PARAMS))

        raise typer.Exit(body(engine=engine, stages=stages or [], force=force, pull=pull))


@commands.command(short_help="What changed since a stage last ran.")
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
    with project():
        from hone.why import why as body

        raise typer.Exit(body(stage=stage, as_json=as_json))


@commands.command(name="import", short_help="Bring a dataset into data/raw.")
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
    with project():
        from hone.importing import import_dataset

        raise typer.Exit(import_dataset(source=source, name=name, force=force))


@commands.command(short_help="Check that everything is in place.")
def doctor(as_json: AsJson = False) -> None:
    """Check git, DVC, versions, disk, threads, code, server and Hub, each with its remedy.

    Exit code 1 if a check fails.

    \b
    Examples:
      hone doctor
      hone doctor --json
    """
    with project():
        from hone.doctor import doctor as body

        raise typer.Exit(body(as_json=as_json))


@commands.command(short_help="Settle merge conflicts in dvc.lock and metrics.")
def resolve() -> None:
    """Settle the conflicts that a merge leaves in dvc.lock and in the metrics files, and say what runs next.

    \b
    Examples:
      hone resolve
    """
    with project():
        from hone.resolve import resolve as body

        raise typer.Exit(body())
