"""The command line with all its commands, which stand in `hone.commands`, a file per group."""

from typing import Annotated

import typer

from hone.commands import kept, loop, pipeline, result, service, shared
from tasks.errors import UserError

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


for group in (pipeline, result, loop, kept, service, shared):
    app.add_typer(group.commands)
