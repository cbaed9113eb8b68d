"""Commands that share results and models with others."""

from pathlib import Path
from typing import Annotated

import typer

from hone.commands.project import project

commands = typer.Typer()


@commands.command(short_help="Share results through DVC's remote.")
def push(
    everything: Annotated[
        bool, typer.Option("--all", help="Of every run that this machine knows, trials too, not the workspace's alone.")
    ] = False,
) -> None:
    """Send results and the run-cache to DVC's remote, so that 'hone run --pull' elsewhere trains nothing of it again.

    What an upload cut in the middle left there is replaced. 'dvc push' sends the results without the run-cache.

    \b
    Examples:
      hone push
      hone push --all
    """
    with project():
        from hone.push import push as body

        raise typer.Exit(body(everything=everything))


@commands.command(short_help="Give the model a version, if the gate lets it.")
def publish(
    version: Annotated[
        str | None, typer.Argument(metavar="[VERSION]", help="As 1.2.0; none raises the second number.")
    ] = None,
    against: Annotated[
        str | None, typer.Option(metavar="REV", help="What the gate compares with; none means the last version.")
    ] = None,
    hub: Annotated[
        str | None, typer.Option(metavar="ID", help="Send it to this model of the Hugging Face Hub, OWNER/NAME.")
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="A repository made there is seen by all.")] = False,
) -> None:
    """Tag the commit that HEAD is at as a version of the model (model@v1.2.0), with verdict and card as its message.

    Refuses files that are not committed, results older than the code, and a model that fails the gate of params.yaml.

    \b
    Examples:
      hone publish
      hone publish 1.0.0 --against main
      hone publish --hub our-team/names          of a commit that has a version: only sends it
    """
    with project():
        from hone.publish import publish as body

        raise typer.Exit(body(version=version, against=against, hub=hub, public=public))


@commands.command(short_help="Bring a published model back.")
def load(
    what: Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="As model@1.2.0; without version the last.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Where to; none: published/NAME@VERSION.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace a folder that is there.")] = False,
) -> None:
    """Write a published model with its card to a folder, out of DVC's cache or remote; every file is checked.

    \b
    Examples:
      hone load model
      hone load model@1.2.0 --out ~/models/names
    """
    out = out and Path.cwd() / out.expanduser()
    with project():
        from hone.load import load as body

        raise typer.Exit(body(what=what, out=out, force=force))
