"""What a check of `hone doctor` found."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """``fail``: runs do not work; ``warn``: they work, but something will hurt. ``ok`` has no remedy."""

    state: Literal["ok", "warn", "fail"]
    message: str
    remedy: str = ""
