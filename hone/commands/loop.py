"""Commands that try params out, each as trials."""

from typing import Annotated

import typer

from hone.commands.options import AsJson, Seeds, Setting, Where, runs_trials
from hone.commands.project import PARAMS, project

commands = typer.Typer()


@commands.command(name="try", short_help="Test one hypothesis as a trial.")
@runs_trials
def try_(
    where: Where,
    reason: Annotated[str, typer.Argument(metavar="REASON", help="The hypothesis, in your words.")],
    changes: Setting = None,
    expect: Annotated[
        float | None, typer.Option(metavar="POINTS", help="Rise of the headline metric, in points (hundredths).")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the experiment; made from the settings if none.")] = None,
) -> None:
    """Run the pipeline once with some params changed, in a worktree of its own, and say whether the hypothesis held.

    Your files are not touched; what you changed and did not commit is carried along. The result is a DVC experiment.

    \b
    Examples:
      hone try "a calmer start helps rare types" --expect +0.5 -S finetune.warmup_ratio=0.2
      hone try "fewer epochs suffice" -S finetune.epochs=5 -S finetune.learning_rate=4e-4
    """
    with project():
        from hone.try_ import try_ as body

        raise typer.Exit(body(reason=reason, changes=changes or [], expect=expect, name=name, **where))


@commands.command(short_help="The same params with several seeds.")
@runs_trials
def repeat(
    where: Where,
    seeds: Annotated[int, typer.Option(min=1, help="How many, from that of params.yaml on.")] = 5,
    settings: Setting = None,
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
    with project():
        from hone import settings as given

        overrides = given.parse(settings or [])
        given.check(overrides)
        from hone.repeat import repeat as body

        raise typer.Exit(
            body(
                seeds=seeds,
                overrides=overrides,
                metric=given.headline(),
                as_json=as_json,
                **where,
            )
        )


@commands.command(short_help="Search the space in params.yaml.")
@runs_trials
def sweep(
    where: Where,
    trials: Annotated[
        int | None, typer.Option(min=1, help="In all, earlier calls counted; none: sweep.trials.")
    ] = None,
    hours: Annotated[float | None, typer.Option(min=0, help="No trial starts later; 0 sets no limit.")] = None,
    until_goal: Annotated[
        bool, typer.Option("--until-goal", help="End when a trial's interval on validation clears the goal.")
    ] = False,
    storage: Annotated[str | None, typer.Option(metavar="URL", help="For Optuna; none: sweep.storage.")] = None,
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
    with project():
        from tasks.params_file import load

        settings = load(PARAMS)
        changes = {"trials": trials, "hours": hours, "storage": storage}
        block = settings.sweep.model_copy(update={key: value for key, value in changes.items() if value is not None})
        from hone.sweep import sweep as body

        raise typer.Exit(
            body(
                settings=settings,
                block=block,
                until_goal=until_goal,
                as_json=as_json,
                **where,
            )
        )


@commands.command(short_help="What each choice is worth, by leaving it out.")
@runs_trials
def ablate(
    where: Where,
    seeds: Seeds = None,
    as_json: AsJson = False,
) -> None:
    """Turn off one choice at a time (ablate: in params.yaml), over seeds, and rank what each is worth.

    \b
    Examples:
      hone ablate
      hone ablate --seeds 5
    """
    with project():
        from tasks.params_file import load

        settings = load(PARAMS)
        from hone.ablate import ablate as body

        raise typer.Exit(
            body(
                settings=settings,
                seeds=seeds or settings.ablate.seeds,
                as_json=as_json,
                **where,
            )
        )


@commands.command(short_help="What more data would bring.")
@runs_trials
def curve(
    where: Where,
    seeds: Seeds = None,
    as_json: AsJson = False,
) -> None:
    """Train on growing parts of train (curve: in params.yaml), fit a curve, say what more data would likely bring.

    \b
    Examples:
      hone curve
      hone curve --seeds 5 --json
    """
    with project():
        from tasks.params_file import load

        settings = load(PARAMS)
        from hone.curve import curve as body

        raise typer.Exit(
            body(
                settings=settings,
                seeds=seeds or settings.curve.seeds,
                as_json=as_json,
                **where,
            )
        )
