"""YAML files, read as DVC reads them."""

from pathlib import Path
from typing import Any

from tasks.errors import UserError


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML 1.2 file, read as DVC reads it (5e-5 is a number).

    Raises:
        UserError: missing file, YAML error, or something else than a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run this in the project's folder") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not YAML ({error}); mend it or 'git checkout {path}'") from None
    return read_yaml_text(text, str(path))


def read_yaml_text(text: str, path: str) -> dict[str, Any]:
    """The same of a text; ``path`` says in messages where it stands. Raises UserError likewise."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        try:
            values = YAML(typ="safe").load(text)  # libyaml where it is there: a fifth of the time
        except YAMLError:
            YAML(typ="safe", pure=True).load(text)  # whose messages are clearer
            raise  # but it takes what DVC does not: "a:b" without quotes between brackets
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{path}:{mark.line + 1}" if mark else path
        remedy = "put what holds the ':' in quotes" if error.problem == "found unexpected ':'" else "mend the line"
        raise UserError(f"{place}: not YAML ({error.problem}); {remedy} or 'git checkout {path}'") from None
    except (YAMLError, RecursionError) as error:
        raise UserError(f"{path}: not YAML ({error}); mend it or 'git checkout {path}'") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: empty; 'git checkout {path}' brings the last one back")
    return values
