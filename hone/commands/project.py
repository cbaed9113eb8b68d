"""Where a command works: the project's folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.errors import UserError

PARAMS = Path("params.yaml")


@contextmanager
def project() -> Iterator[None]:
    """Work in the project's folder, found from the current one upwards.

    Raises:
        UserError: neither the current folder nor one above has dvc.yaml and params.yaml.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "dvc.yaml").is_file() and (folder / PARAMS).is_file():
            os.chdir(folder)
            yield
            return
    raise UserError(f"{here}: no project here or above (one has dvc.yaml and params.yaml); go into your clone of hone")
