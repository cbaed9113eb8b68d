"""Dialogues as the Schema-Guided Dialogue data has them (Rastogi et al. 2020): a JSON list, gzip or not."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.errors import UserError
from tasks.records import Row
from tasks.sources import Item, Unreadable, open_binary, undecodable

ANSWERING = "SYSTEM"  # the speaker whose turns are responses


def read(path: Path, name: str) -> Iterator[Item]:
    """Yield a row per turn of the system: ``fields`` are ``history`` (turns with ``role`` and ``text``), ``response``,
    ``service`` and ``act``, the distinct acts of the turn in order; its line is its number, from 1.

    The document is the dialogue's id. `Unreadable` are dialogues of another form, at the number of the next row.

    Raises:
        UserError: the file is not UTF-8, not JSON, or no list.
    """
    try:
        with open_binary(path) as file:
            value = json.loads(file.read().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        _, message, remedy = undecodable(error)
        raise UserError(f"{name}: {message}; {remedy}") from None
    except (ValueError, RecursionError, OSError, EOFError) as error:
        raise UserError(f"{name}: not JSON ({error}); mend the file") from None
    if not isinstance(value, list):
        raise UserError(f"{name}: no list of dialogues; set dialogue.format if the file is of another form")
    number = 1
    for place, dialogue in enumerate(value, start=1):
        turns = dialogue.get("turns") if isinstance(dialogue, dict) else None
        if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
            message = f"dialogue {place} has no list 'turns' of objects"
            yield Unreadable("not an object", f"{name}:{number}", message, "mend it or take it out")
            continue
        identifier = dialogue.get("dialogue_id")
        document = identifier if isinstance(identifier, str) and identifier else f"{name}:dialogue {place}"
        history: list[dict[str, Any]] = []
        for turn in turns:
            speaker, text = turn.get("speaker"), turn.get("utterance")
            if speaker == ANSWERING:
                service, act = _frame(turn)
                fields = {"history": list(history), "response": text, "service": service, "act": act}
                yield Row(name, number, document, fields)
                number += 1
            history.append({"role": speaker.lower() if isinstance(speaker, str) else speaker, "text": text})


def _frame(turn: dict[str, Any]) -> tuple[str, str]:
    """Service and acts of a turn; ``""`` where they are not said."""
    frames = turn.get("frames")
    frames = [one for one in frames if isinstance(one, dict)] if isinstance(frames, list) else []
    service = next((one["service"] for one in frames if isinstance(one.get("service"), str)), "")
    actions = [action for one in frames if isinstance(one.get("actions"), list) for action in one["actions"]]
    acts = {action["act"] for action in actions if isinstance(action, dict) and isinstance(action.get("act"), str)}
    return service, "+".join(sorted(acts))
