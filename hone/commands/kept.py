"""Commands on what trials and commits have left."""

from typing import Annotated

import typer

from hone.commands.options import AsJson
from hone.commands.project import PARAMS, project

commands = typer.Typer()


@commands.command(short_help="Every iteration, and what was learned.")
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
    with project():
        from tasks.params_file import load

        settings = load(PARAMS)
        from hone.ledger import ledger as body

        raise typer.Exit(body(settings=settings, lessons=lessons, last=last, trials=trials, as_json=as_json))


@commands.command(short_help="Take a trial over into params.yaml.")
def adopt(
    trial: Annotated[str, typer.Argument(metavar="TRIAL", help="Its name, or the beginning of its commit.")],
) -> None:
    """Put a trial's params into params.yaml and restore its outs from the cache without training, ready to commit.

    \b
    Examples:
      hone adopt epochs-5
      hone adopt repeat-seed-3
    """
    with project():
        from hone.adopt import adopt as body

        raise typer.Exit(body(name=trial))


@commands.command(short_help="Drop models of weaker trials.")
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
    with project():
        from tasks.params_file import load

        load(PARAMS)
        from hone import settings as given
        from hone.gc import gc as body

        raise typer.Exit(body(dry_run=dry_run, metric=given.headline(), as_json=as_json))
