"""Names of slices: themselves, or numbers where they could quote the data."""

from tasks.reporting.naming import Naming


def test_names_are_shown_where_text_may_be() -> None:
    naming = Naming(show_text=True)
    assert naming.name("document", "Letters from Tarvik") == "Letters from Tarvik"
    assert naming.name("document", "a\u202eb") == "a‹U+202E›b"


def test_where_no_text_may_be_shown_a_slice_has_one_number_of_its_dimension() -> None:
    naming = Naming(show_text=False)
    asked = [("document", "x"), ("document", "y"), ("surface", "x"), ("document", "x"), ("type", "PER")]
    assert [naming.name(*pair) for pair in asked] == ["document 1", "document 2", "surface 1", "document 1", "PER"]
