"""Whether a server answers, within a limit that also holds for a name server that does not."""

import os
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import TypeVar

LIMIT = 2.0  # seconds

T = TypeVar("T")


def hub_address() -> str:
    """Address of the Hugging Face Hub, HF_ENDPOINT where it is set.

    Not asked of huggingface_hub, which decides when it is imported whether it is offline.
    """
    return os.environ.get("HF_ENDPOINT") or "https://huggingface.co"


def reached(address: str, method: str = "HEAD") -> bool:
    """Whether anything answers at an http address within LIMIT; an error of the server is an answer too."""

    def ask() -> bool:
        try:
            with urllib.request.urlopen(urllib.request.Request(address, method=method), timeout=LIMIT):
                return True
        except urllib.error.HTTPError:
            return True
        except (OSError, ValueError):
            return False

    return within(LIMIT, ask, False)


def within(seconds: float, work: Callable[[], T], otherwise: T) -> T:
    """What ``work`` returns, or ``otherwise`` if it takes longer; it is then left behind in a daemon thread."""
    answer = [otherwise]

    def run() -> None:
        answer[0] = work()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return answer[0]
