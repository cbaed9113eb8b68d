"""``-S key=value`` of the commands that try params: read as YAML, checked as params.yaml is."""

import shlex
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from flows.trials.overrides import changed
from tasks import adapters, rawfiles
from tasks.errors import UserError
from tasks.params import Params, checked, read_yaml, tasks_available

PARAMS = Path("params.yaml")
RAW = Path("data/raw")


def parse(settings: list[str]) -> dict[str, Any]:
    """``["seed=2", "finetune.learning_rate=1e-4"]`` as values by dotted key; values as in params.yaml.

    Raises:
        UserError: no ``=``, a value that is not YAML, a key given twice.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    found: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        key = key.strip()
        if not equals or not key:
            raise UserError(f"-S {setting}: write key=value, as finetune.epochs=4")
        if key in found:
            raise UserError(f"-S {key}: given twice; a trial has one value for each key")
        try:
            found[key] = YAML(typ="safe", pure=True).load(text)
        except YAMLError:
            raise UserError(f"-S {setting}: {text!r} is no YAML value; quote it as in params.yaml") from None
    return found


def check(overrides: Mapping[str, Any]) -> None:
    """Refuse overrides with which params.yaml would be refused, before anything runs.

    Raises:
        UserError: an unknown key, a wrong type or range, values that make no sense together; names the key.
    """
    checked(changed(read_yaml(PARAMS), overrides), PARAMS)


def refuse_linked_dataset(settings: Params) -> None:
    """Refuse a dataset that is a link out of data/raw, as DVC would read all of it before a stage could.

    Raises:
        UserError: it is one.
    """
    raw = RAW / settings.dataset
    if raw.is_symlink():
        rawfiles.find(raw, settings.dataset, settings.splits.model_dump())


def headline() -> str:
    """The metric by which the active task's models are compared, as it stands in the metrics files."""
    scorer = adapters.find(read_yaml(PARAMS)["task"]).scorer
    return str(import_module(f"tasks.scoring.{scorer}").HEADLINE.name)


def wording() -> adapters.Wording | None:
    """How the task of params.yaml is spoken of; None where it names none that there is."""
    task = read_yaml(PARAMS).get("task") if PARAMS.exists() else None
    return adapters.find(task).wording if task in tasks_available() else None


def predict_command() -> str:
    """``hone predict`` with a text as the task reads it."""
    words = wording()
    sample = (words and words.sample) or "a text"
    return f"hone predict {shlex.quote(sample)}" if '"' in sample else f'hone predict "{sample}"'
