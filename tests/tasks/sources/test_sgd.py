"""Dialogues of the Schema-Guided Dialogue data: a row per turn of the system, and what is wrong with the others."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import UserError
from tasks.records import Row
from tasks.sources import Unreadable
from tasks.sources.sgd import read

REAL = Path(__file__).parents[4] / "shared" / "data" / "dialogue" / "sgd"


def turn(speaker: str, text: str, *acts: str) -> dict[str, Any]:
    return {
        "speaker": speaker,
        "utterance": text,
        "frames": [{"service": "Boxes_1", "actions": [{"act": act, "slot": ""} for act in acts]}],
    }


DIALOGUE = {
    "dialogue_id": "7",
    "services": ["Boxes_1"],
    "turns": [
        turn("USER", "boxes"),
        turn("SYSTEM", "where", "REQUEST"),
        turn("USER", "Graz"),
        turn("SYSTEM", "so", "B", "A"),
    ],
}


def written(folder: Path, value: Any) -> list[Any]:
    path = folder / "a.json.gz"
    path.write_bytes(gzip.compress(json.dumps(value).encode()))
    return list(read(path, "a.json.gz"))


def test_each_turn_of_the_system_answers_all_before_it(tmp_path: Path) -> None:
    first, second = written(tmp_path, [DIALOGUE])
    assert (first.place, first.document) == ("a.json.gz:1", "7")
    turns = [("user", "boxes"), ("system", "where"), ("user", "Graz")]
    history = [{"role": role, "text": text} for role, text in turns]
    assert first.fields == {"history": history[:1], "response": "where", "service": "Boxes_1", "act": "REQUEST"}
    assert second.fields == {"history": history, "response": "so", "service": "Boxes_1", "act": "A+B"}


def test_a_dialogue_of_another_form_is_unreadable_and_the_next_is_read(tmp_path: Path) -> None:
    broken = [{"dialogue_id": "8"}, "no dialogue", {"turns": ["hello"]}]
    items = written(tmp_path, [DIALOGUE, *broken, {**DIALOGUE, "dialogue_id": None}])
    assert [type(item) for item in items] == [Row, Row, *[Unreadable] * 3, Row, Row]
    assert [item.place for item in items][2:] == [f"a.json.gz:{line}" for line in (3, 3, 3, 3, 4)]
    assert items[-1].document == "a.json.gz:dialogue 5"


def test_frames_that_say_nothing_leave_service_and_act_open(tmp_path: Path) -> None:
    turns = [turn("USER", "a"), {"speaker": "SYSTEM", "utterance": "b", "frames": [None, {"actions": ["x"]}]}]
    (row,) = written(tmp_path, [{"dialogue_id": "1", "turns": turns}])
    assert (row.fields["service"], row.fields["act"]) == ("", "")


@pytest.mark.parametrize(
    ("raw", "message"), [(b"{}", "no list of dialogues"), (b"[", "not JSON"), (b'["\xff"]', "is not UTF-8")]
)
def test_another_file_is_refused_with_its_name(tmp_path: Path, raw: bytes, message: str) -> None:
    (tmp_path / "a.json").write_bytes(raw)
    with pytest.raises(UserError, match=message) as caught:
        list(read(tmp_path / "a.json", "a.json"))
    assert str(caught.value).startswith("a.json: ")


@pytest.mark.skipif(not REAL.is_dir(), reason="the real data is not beside the repository")
def test_the_real_data_has_its_published_turns() -> None:
    rows = [item for path in sorted(REAL.glob("*/*.json.gz")) for item in read(path, path.name)]
    assert len(rows) == 825 + 1233 + 977
    assert all(isinstance(row, Row) and row.fields["history"] and row.fields["act"] for row in rows)
