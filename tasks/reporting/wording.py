"""How figures and texts are written in a report, so that both forms of it agree."""

import re
import unicodedata
from collections.abc import Sequence

INVISIBLE = re.compile("[\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def score(value: float | None) -> str:
    """A share between 0 and 1 with three decimals; a dash where there is none."""
    return "–" if value is None else f"{value:.3f}"


def gain(value: float) -> str:
    """A difference of two scores, with its sign."""
    return f"{value:+.3f}".replace("-", "−")


def sentence(text: str) -> str:
    """The text with a capital at its start."""
    return text[:1].upper() + text[1:]


def spoken(name: str) -> str:
    """The name of a param or a dimension as words."""
    return name.replace("_", " ")


def confidence(value: float) -> str:
    """A probability with two decimals; one is never rounded up to certainty."""
    return "> 0.99" if 0.995 <= value < 1 else f"{value:.2f}"


def count(value: int, one: str = "", many: str = "") -> str:
    """A whole number with thousands separated, and with its noun: ``1 word``, ``2,394 words``."""
    if not one:
        return f"{value:,}"
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def percent(part: float, whole: float) -> str:
    """``part`` of ``whole`` in whole percent, not to be broken across lines; ``-`` where there is no whole."""
    return f"{100 * part / whole:.0f}\u00a0%" if whole else "-"


def several(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def visible(text: str) -> str:
    """The text with characters that no page shows, or that turn the text around them, replaced by their code point."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(f"‹U+{ord(sign):04X}›" if _hidden(sign) else sign for sign in text)


def _hidden(sign: str) -> bool:
    """Controls and lone surrogates; not the joiners that scripts and emoji need."""
    return unicodedata.category(sign) in ("Cc", "Cs") or INVISIBLE.match(sign) is not None
