"""Which reader opens a file."""

import pytest

from tasks import sources
from tasks.errors import UserError


def test_every_format_has_its_reader() -> None:
    assert len(sources.READERS) >= 10
    assert all(callable(sources.reader(kind)) for kind in sources.READERS)
    by_setting = {
        "spans",
        "lines",
        "tsv",
        "part",
        "folder",
        "semeval",
        "squad",
        "sgd",
        "aligned",
    }  # or by what a task means by an ending, or by a key
    assert set(sources.ENDINGS.values()) | by_setting == set(sources.READERS)


def test_the_ending_names_the_format_or_the_remedy_is_told() -> None:
    assert sources.format_of("a/b.TXT", "x.format") == "conll"
    with pytest.raises(UserError) as caught:
        sources.format_of("a/b.docx", "token_classification.format")
    assert str(caught.value).startswith(
        "a/b.docx: the ending '.docx' names no format; set token_classification.format to"
    )
