"""Where Optuna keeps a search: an SQLite file of the project, or what a URL names."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tasks.errors import UserError

FILE = Path(".dvc/tmp/hone/sweeps.sqlite")
DRIVERS = {"postgresql": "psycopg[binary]", "mysql": "PyMySQL"}


@contextmanager
def storage(url: str) -> Iterator[Any]:
    """Optuna's storage at ``url``; an empty one is FILE.

    Raises:
        UserError: not a URL, a file outside the project, a driver that is not installed, or nothing answers there.
    """
    import optuna
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    given = bool(url)
    if not given:
        FILE.parent.mkdir(parents=True, exist_ok=True)
        url = f"sqlite:///{FILE}"
    base = url.partition(":")[0].partition("+")[0]
    shown = _without_password(url)
    if given and base == "sqlite" and not _is_within(url):
        raise UserError(
            f"params.yaml: sweep.storage: {shown} is a file outside the project; name one within it, or leave it empty"
        )
    try:
        opened = optuna.storages.get_storage(url)
    except ModuleNotFoundError as error:
        package = DRIVERS.get(base, error.name)
        hint = "; its URL then begins with postgresql+psycopg://" if base == "postgresql" else ""
        raise UserError(
            f"params.yaml: sweep.storage: {shown} needs {error.name}; pip install '{package}'{hint}"
        ) from None
    except (ArgumentError, ValueError) as error:
        said = str(error).splitlines()[0]
        raise UserError(f"params.yaml: sweep.storage: {shown} is no URL of a database ({said})") from None
    except (SQLAlchemyError, ImportError, OSError) as error:
        said = " ".join(str(error).split("\n")[0].split())
        raise UserError(f"params.yaml: sweep.storage: {shown} cannot be used ({said}); is it running?") from None
    try:
        yield opened
    finally:
        backend = getattr(opened, "_backend", opened)  # get_storage wraps a database in a cache
        backend.remove_session()
        if hasattr(backend, "engine"):
            backend.engine.dispose()


def _is_within(url: str) -> bool:
    """Whether the file of an SQLite URL lies in the project, which is the current folder."""
    path = url.partition("://")[2].removeprefix("/").partition("?")[0]
    return not path.startswith("file:") and Path(path).resolve().is_relative_to(Path.cwd().resolve())


def _without_password(url: str) -> str:
    scheme, mark, rest = url.partition("://")
    login, at, place = rest.rpartition("@")
    return f"{scheme}{mark}{login.partition(':')[0]}{at}{place}"
