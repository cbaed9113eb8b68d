"""The data's own card: front matter, and sections found by their headings."""

from pathlib import Path

import pytest

from tasks.errors import UserError
from tasks.reporting.data_card import read_data_card

SHIPPED = Path(__file__).parents[3] / "data/raw/hone-ner/README.md"
CARD = """---
license: cc0-1.0
language: [en, fr]
---
# Uses of letters

Not a section of its own.

## Intended use
Trying things.

```
## Limits that stand in a block of code
```
### Details
More.

## Privacy ##
None.
"""


def test_topics_are_found_by_their_headings(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(CARD)
    card = read_data_card(tmp_path / "README.md")
    assert card.facts == {"license": "cc0-1.0", "language": ["en", "fr"]}
    assert card.sections == {
        "use": ("Intended use", "Trying things.\n\n```\n## Limits that stand in a block of code\n```"),
        "personal data": ("Privacy", "None."),
    }


def test_the_shipped_corpus_says_all() -> None:
    card = read_data_card(SHIPPED)
    assert set(card.sections) == {"use", "limits", "bias", "personal data"}
    assert card.sections["personal data"][1].startswith("No personal data.")
    assert card.facts["license"] == "cc-by-4.0"


def test_data_without_a_card_is_no_error(tmp_path: Path) -> None:
    card = read_data_card(tmp_path / "README.md")
    assert (card.facts, card.sections) == ({}, {})


def test_a_broken_front_matter_is_named(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\na: [\n---\n")
    with pytest.raises(UserError, match=r"README\.md.*not YAML"):
        read_data_card(tmp_path / "README.md")
