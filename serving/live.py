"""The model that answers now, and how a new version takes its place without a lost request."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from serving.model import Answer, Load, Served, Signature, serve_from, signature
from tasks.errors import UserError

logger = logging.getLogger("hone.serving")


@dataclass(frozen=True, slots=True)
class Answered:
    """Answers in the order of the texts, all from one version of the model."""

    version: str
    task: str
    answers: list[Answer]


class Live:
    """Holds the model in use. A new one is loaded and tried beside it; only then does it answer the next batch.

    A batch under way keeps the model that it began with. A version that cannot be loaded is said once and the one
    before goes on.

    Args:
        folder: where the stage export writes.
        load: ``folder -> model``.
        on_change: called with the outcome of each try: the new model, or None when it failed.

    Raises:
        UserError: the folder holds no model that can be used.
    """

    def __init__(self, folder: Path, load: Load, on_change: Callable[[Served | None], None] = lambda _: None):
        self._folder = folder
        self._load = load
        self._served = serve_from(folder, load)
        self._refused: Signature = ()
        self._asked = asyncio.Event()
        self.on_change = on_change

    @property
    def served(self) -> Served:
        return self._served

    def answer(self, texts: Sequence[str]) -> Answered:
        """Answers of the model that is in use when the call begins."""
        served = self._served
        return Answered(served.version, served.model.task, served.model.answers(texts))

    def look_now(self) -> None:
        """Look at the folder at once, and try again what was refused before (SIGHUP)."""
        self._refused = ()
        self._asked.set()

    async def watch(self, seconds: float) -> None:
        """Look at the folder every ``seconds`` until cancelled.

        What was just written is left alone until two looks see the same, so that half a folder is not taken up.
        """
        seen = self._served.signature
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._asked.wait()
            asked, before = self._asked.is_set(), seen
            self._asked.clear()
            seen = signature(self._folder)
            if seen in (self._served.signature, self._refused, ()) or not (asked or seen == before):
                continue
            await self._take_up(seen)

    async def _take_up(self, seen: Signature) -> None:
        try:
            served = await asyncio.to_thread(serve_from, self._folder, self._load)
        except Exception as error:  # whatever is wrong with the new one, the old one serves on
            said = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            logger.error("new model refused, version %s serves on: %s", self._served.version, said)
            if signature(self._folder) == seen:
                self._refused = seen
            self.on_change(None)
            return
        before, self._served = self._served, served
        if before.version != served.version:
            logger.info("model version %s replaces %s", served.version, before.version)
            self.on_change(served)
