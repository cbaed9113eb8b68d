"""``-S key=value`` of the commands that try params: read as YAML, checked as params.yaml is."""

import json
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import UserError

if TYPE_CHECKING:
    from tasks import adapters
    from tasks.params import Params

PARAMS = Path("params.yaml")
RAW = Path("data/raw")
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")  # of JSON, which YAML 1.2 reads likewise


def parse(settings: list[str]) -> dict[str, Any]:
    """``["seed=2", "finetune.learning_rate=1e-4"]`` as values by dotted key; values as in params.yaml.

    Raises:
        UserError: no ``=``, a value that is not YAML, a key given twice.
    """
    found: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        key = key.strip()
        if not equals or not key:
            raise UserError(f"-S {setting}: write key=value, as finetune.epochs=4")
        if key in found:
            raise UserError(f"-S {key}: given twice; a trial has one value for each key")
        found[key] = json.loads(text) if NUMBER.fullmatch(text) or text in ("true", "false") else _value(setting, text)
    return found


def _value(setting: str, text: str) -> Any:
    from ruamel.yaml import YAML  # loads longer than a known trial takes
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError:
        raise UserError(f"-S {setting}: {text!r} is no YAML value; quote it as in params.yaml") from None


def check(overrides: Mapping[str, Any]) -> None:
    """Refuse overrides with which params.yaml would be refused, before anything runs.

    Raises:
        UserError: an unknown key, a wrong type or range, values that make no sense together; names the key.
    """
    from flows.trials.overrides import changed
    from tasks.params_file import checked
    from tasks.yaml_files import read_yaml

    checked(changed(read_yaml(PARAMS), overrides), PARAMS)


def refuse_linked_dataset(settings: "Params") -> None:
    """Refuse a dataset that is a link out of data/raw, as DVC would read all of it before a stage could.

    Raises:
        UserError: it is one.
    """
    from tasks import rawfiles

    raw = RAW / settings.dataset
    if raw.is_symlink():
        rawfiles.find(raw, settings.dataset, settings.splits.model_dump())


def headline() -> str:
    """The metric by which the active task's models are compared, as it stands in the metrics files."""
    from tasks.yaml_files import read_yaml

    return str(import_module(f"tasks.scoring.{_adapter(read_yaml(PARAMS)).scorer}").HEADLINE.name)


def wording() -> "adapters.Wording | None":
    """How the task of params.yaml is spoken of; None where it names none that there is."""
    from tasks.params_file import tasks_available
    from tasks.yaml_files import read_yaml

    values = read_yaml(PARAMS) if PARAMS.exists() else {}
    return _adapter(values).wording if values.get("task") in tasks_available() else None


def _adapter(values: Mapping[str, Any]) -> "adapters.Adapter":
    """That of the task, in the variant that its block chooses where there is one."""
    from tasks import adapters

    task = values["task"]
    return adapters.find(adapters.name_of(task, values[task]) if task in values else task)


def predict_command() -> str:
    """``hone predict`` with a text as the task reads it."""
    import shlex

    words = wording()
    sample = words.sample if words else "a text"
    return f"hone predict {shlex.quote(sample)}" if '"' in sample else f'hone predict "{sample}"'
