"""What the flow of a fan-out does, apart from the flow itself: that one is pickled for workers, and no body can be."""

from collections.abc import Callable

BODY: list[Callable[[], None]] = []
