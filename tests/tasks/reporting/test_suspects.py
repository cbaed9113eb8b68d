"""Gold that may be wrong."""

from typing import Any

from tasks.reporting.suspects import read_suspects


def line(place: str, confidence: float) -> dict[str, Any]:
    return {
        "id": place,
        "start": 0,
        "end": 1,
        "text": "Tarvik",
        "gold": None,
        "predicted": "LOC",
        "confidence": confidence,
        "train": {"ORG": 1, "LOC": 4},
    }


def test_surest_first_and_ties_in_the_order_of_the_file() -> None:
    found = read_suspects([line("f:1", 0.9), line("f:2", 0.99), line("f:3", 0.9)], show_text=True)
    assert [suspect.id for suspect in found] == ["f:2", "f:1", "f:3"]
    assert (found[0].text, found[0].gold, found[0].predicted) == ("Tarvik", None, "LOC")
    assert list(found[0].train.items()) == [("LOC", 4), ("ORG", 1)]


def test_no_text_where_none_may_be_shown() -> None:
    (suspect,) = read_suspects([line("f:1", 0.9)], show_text=False)
    assert suspect.text == ""
