"""What costs most, as evaluate ranks it."""

from pathlib import Path

from tasks.reporting.focus import Entry, Focus, Invariance, read_focus
from tasks.reporting.naming import Naming

RUN = Path(__file__).parent / "fixtures/run"


def test_entries_keep_their_order_and_are_found_by_dimension() -> None:
    focus = read_focus(RUN / "focus.json", Naming(show_text=True))
    assert [entry.name for entry in focus.entries[:3]] == ["LOC", "wrong type", "unseen"]
    assert [entry.name for entry in focus.of("kind")] == ["wrong type", "missed", "merged", "spurious"]
    assert list(focus.slices) == ["seen in train", "entity length", "document"]
    assert (focus.entries[0].right, focus.entries[0].gain, focus.entries[0].figure) == (0.888889, 0.296296, 0.444444)
    assert sum(focus.kinds.values()) == 6
    assert focus.invariance == Invariance(swapped=12, changed=2, lost=2, gained=0)


def test_what_does_no_worse_than_the_whole_is_not_worth_work() -> None:
    given = (("casing", 0.61, 0.3), ("type", 0.5, 0.2), ("kind", None, 0.1), ("type", 0.1, 0.0))
    entries = tuple(Entry(dimension, "x", 9, 9, 9, figure, 0.6 + gain, gain) for dimension, figure, gain in given)
    assert Focus(0.6, {}, entries, {}, None).ranking == entries[1:3]


def test_names_that_could_quote_the_data_are_numbered_where_none_may_be_shown() -> None:
    focus = read_focus(RUN / "focus.json", Naming(show_text=False))
    assert [entry.name for entry in focus.of("document")] == ["document 1", "document 2"]
    assert [entry.name for entry in focus.of("type")] == ["LOC", "MISC"]
