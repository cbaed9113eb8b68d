"""What tasks over dialogues share: how turns, responses and services are read, checked and written as one text."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeGuard

from tasks import sources
from tasks.errors import Defect
from tasks.records import Example, Row

ALIKE = 3  # on Schema-Guided Dialogue fewer turns, and all of them, found worse responses
NAMES = (("role", "text"), ("role", "content"), ("from", "value"))  # under which chats have who speaks and what
Turn = dict[str, str]  # {"role": ..., "text": ...}
Response = dict[str, str]  # {"text": ..., "service": ..., "act": ...}; "" where service or act is not known


class Options(Protocol):
    """What the blocks of these tasks have in common."""

    @property
    def format(self) -> str: ...
    @property
    def history_field(self) -> str: ...
    @property
    def response_field(self) -> str: ...
    @property
    def turns(self) -> int: ...


def source(name: str, options: Options, block: str) -> str:
    """The format of a raw file: by its ending, unless params name one; .json is that of SGD.

    Args:
        block: of params.yaml, which a message names.
    """
    if options.format != "auto" and not sources.split_key(name)[1]:
        return options.format
    return sources.format_of(name, f"{block}.format", {".json": "sgd"})


def parse(row: Row, options: Options, block: str) -> tuple[list[Turn], Response]:
    """The turns so far and the response to them, which is the last turn where params name no field for it.

    Raises:
        Defect: no history, a turn without role or text, or no response.
    """

    def defect(kind: str, message: str, remedy: str) -> Defect:
        return Defect(kind, row.place, message, remedy, raw_items(row, options))

    given = row.fields.get(options.history_field)
    history = turns_of(given) if isinstance(given, list) else []
    text = row.fields.get(options.response_field)
    if not options.response_field and history:
        *history, last = history
        text = last.get("text") if isinstance(last, dict) else None
    if not history:
        message = f"{options.history_field!r} holds {str(given)[:40]!r} instead of turns"
        raise defect("no history", message, f"give it one, or set {block}.history_field")
    if found := flaw_of(history):
        raise defect("broken turn", found, 'write turns as {"role": "user", "text": "..."}')
    if not is_text(text):
        message = f"{options.response_field or 'the last turn'!r} holds {str(text)[:40]!r}"
        raise defect("no response", message, f"give it one, or set {block}.response_field")
    known = {name: row.fields.get(name) for name in ("service", "act")}
    response = {"text": text, **{name: value if isinstance(value, str) else "" for name, value in known.items()}}
    return [{"role": turn["role"], "text": turn["text"]} for turn in history], response


def asked(text: str) -> tuple[list[Turn], dict[str, Any]]:
    """The turns of a line of JSON with ``history``, none where they are broken, and all fields of the line."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    fields = value if isinstance(value, dict) else {}
    given = fields.get("history")
    history = turns_of(given) if isinstance(given, list) else []
    if flaw_of(history):
        return [], fields
    return [{"role": turn["role"], "text": turn["text"]} for turn in history], fields


def raw_items(row: Row, options: Options) -> int:
    """One response, where there is a place for it."""
    return int((options.response_field or options.history_field) in row.fields)


def turns_of(given: Sequence[Any]) -> list[Any]:
    """Turns under ``role`` and ``text``, whatever chats name them; mere texts are of user and system in turn."""
    if all(isinstance(turn, str) for turn in given):
        return [{"role": ("user", "system")[number % 2], "text": turn} for number, turn in enumerate(given)]
    return [_renamed(turn) for turn in given]


def _renamed(turn: Any) -> Any:
    if not isinstance(turn, dict):
        return turn
    role, text = next((pair for pair in NAMES if all(name in turn for name in pair)), NAMES[0])
    return {"role": turn.get(role), "text": turn.get(text)}


def last_turns(examples: Iterable[Example], options: Options) -> Iterator[Example]:
    """Each example with the last turns of its history alone."""
    for example in examples:
        yield replace(example, inputs={**example.inputs, "history": example.inputs["history"][-options.turns :]})


def as_text(history: Sequence[Turn]) -> str:
    """A history as a model reads it: each turn behind its role."""
    return " ".join(f"{turn['role']}: {turn['text']}" for turn in history)


def end_of(history: Sequence[Turn]) -> str:
    """The last ALIKE turns without their roles, by which histories are compared."""
    return " ".join(turn["text"] for turn in history[-ALIKE:])


def shown(history: Sequence[Turn]) -> list[tuple[str, str | None]]:
    """The turns as runs of text for a person."""
    return [(f"{turn['role']}: {turn['text']}", None) for turn in history]


def is_text(value: Any) -> TypeGuard[str]:
    """Whether it is a text that says something."""
    return isinstance(value, str) and bool(value.strip())


def flaw_of(history: Sequence[Any]) -> str:
    """What is wrong with the first broken turn; ``""`` where none is."""
    return next((found for found in map(_flaw, history) if found), "")


def _flaw(turn: Any) -> str:
    if not isinstance(turn, dict):
        return f"a turn is {str(turn)[:40]!r}"
    wrong = [name for name in ("role", "text") if not is_text(turn.get(name))]
    return f"the {wrong[0]} of a turn is {str(turn.get(wrong[0]))[:40]!r}" if wrong else ""
