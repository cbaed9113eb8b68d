"""``-S key=value``: what is read without the YAML parser is what the parser would read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from hone.settings import NUMBER, parse

NUMBERS = ["0", "-1", "12", "1.0", "-0.5", "1e-4", "1E+3", "2.5e10", "true", "false"]
OTHERS = [
    "007",
    "1_000",
    "0x1f",
    "+1",
    ".5",
    "1.",
    "yes",
    "null",
    "~",
    "",
    "document",
    "[1, 2]",
    "{a: 1}",
    "'1'",
    "1:30",
]


@pytest.mark.parametrize("text", NUMBERS + OTHERS)
def test_values_are_those_of_yaml(text: str) -> None:
    found, wanted = parse([f"k={text}"])["k"], YAML(typ="safe", pure=True).load(text)
    assert (type(found), found) == (type(wanted), wanted)


@given(st.from_regex(NUMBER, fullmatch=True))
def test_every_number_is_that_of_yaml(text: str) -> None:
    test_values_are_those_of_yaml(text)
