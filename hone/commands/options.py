"""Options that several commands have."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypedDict

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable: one JSON document.")]
Seeds = Annotated[int | None, typer.Option(min=1, help="Of each, from that of params.yaml on; none: params.yaml.")]
Setting = Annotated[
    list[str] | None,
    typer.Option("--set", "-S", metavar="KEY=VALUE", help="A value of params.yaml, as often as needed."),
]
On = Literal["threads", "local", "dask", "ray"]


class Where(TypedDict):
    """Where trials run, as `flows.trials.run_trials` takes it."""

    on: On
    address: str | None
    git_remote: str | None


def _where(
    on: Annotated[
        On, typer.Option(help="threads: this machine, as a Prefect flow; local: without Prefect; dask, ray: a cluster.")
    ] = "threads",
    address: Annotated[str | None, typer.Option(help="Of a running Dask scheduler or Ray cluster.")] = None,
    git_remote: Annotated[
        str | None,
        typer.Option("--git-remote", metavar="NAME", help="Hands trials to workers that do not see this folder."),
    ] = None,
) -> Where:
    return {"on": on, "address": address, "git_remote": git_remote}


def runs_trials(command: Callable[..., None]) -> Callable[..., None]:
    """Give ``command`` the options --on, --address and --git-remote; it gets them as its first argument, ``where``."""
    options = inspect.signature(_where).parameters
    own = list(inspect.signature(command).parameters.values())[1:]

    @functools.wraps(command)
    def whole(**given: Any) -> None:
        where = _where(**{name: given.pop(name) for name in options})
        command(where, **given)

    params = [param.replace(kind=param.KEYWORD_ONLY) for param in (*own, *options.values())]
    whole.__signature__ = inspect.Signature(params)  # type: ignore[attr-defined]  # what typer reads
    return whole
