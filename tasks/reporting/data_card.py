"""What the data's own card, README.md in the folder of the raw files, says about using it."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks import yaml_files

# A section of the data card whose heading matches is quoted in the model card under that name.
TOPICS = {
    "use": r"^(intended |direct )?uses?\b",
    "limits": r"\blimit",
    "bias": r"\bbias",
    "personal data": r"\bpersonal\b|\bprivacy\b|^people\b",
}
FRONT_MATTER = re.compile(r"\A---\n(.*?\n)---\n", re.DOTALL)
HEADING = re.compile(r"^(#{1,6}) +(.+?) *#*$")


@dataclass(frozen=True, slots=True)
class DataCard:
    """A data card.

    Attributes:
        facts: its front matter, as the cards of datasets on the Hub have it (license, language).
        sections: (heading, text) by topic; a topic of which it says nothing is missing.
    """

    facts: dict[str, Any]
    sections: dict[str, tuple[str, str]]


def read_data_card(path: Path) -> DataCard:
    """Read a data card; an empty one where the file is missing, since not all data comes with one."""
    if not path.is_file():
        return DataCard({}, {})
    text = path.read_text(encoding="utf-8")
    front = FRONT_MATTER.match(text)
    facts = yaml_files.read_yaml_text(front.group(1), str(path)) if front else {}
    sections: dict[str, tuple[str, str]] = {}
    for heading, body in _sections(text[front.end() :] if front else text):
        for topic, pattern in TOPICS.items():
            if topic not in sections and re.search(pattern, heading, re.IGNORECASE):
                sections[topic] = (heading, body)
                break
    return DataCard(facts, sections)


def _sections(text: str) -> list[tuple[str, str]]:
    """Headings of level 2 and deeper, each with the text up to the next heading of any level."""
    found: list[tuple[str, list[str]]] = []
    fenced = False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        heading = None if fenced else HEADING.match(line)
        if heading:
            found.append((heading.group(2) if len(heading.group(1)) > 1 else "", []))
        elif found:
            found[-1][1].append(line.rstrip())
    return [(heading, "\n".join(lines).strip()) for heading, lines in found if heading]
