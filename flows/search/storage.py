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
        UserError: not a URL, its driver is not installed, or nothing answers there.
    """
    import optuna
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if not url:
        FILE.parent.mkdir(parents=True, exist_ok=True)
        url = f"sqlite:///{FILE}"
    base = url.partition(":")[0].partition("+")[0]
    shown = _without_password(url)
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


def _without_password(url: str) -> str:
    scheme, mark, rest = url.partition("://")
    login, at, place = rest.rpartition("@")
    return f"{scheme}{mark}{login.partition(':')[0]}{at}{place}"
