"""Dynamic micro-batching: texts of requests that arrive together go through the model together, off the event loop."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from time import monotonic

from serving.live import Answered
from serving.refusals import Refusal

SMOOTHING = 0.2  # weight of the newest batch in the speed that Retry-After is reckoned with


@dataclass(slots=True, eq=False)
class _Job:
    texts: Sequence[str]
    done: "asyncio.Future[Answered]"
    due: float


class Batcher:
    """A bounded queue before one thread that runs the model.

    A batch begins when it is full, or when its first request has waited long enough; while the model works on one,
    the next gathers. A request is never divided, so that one version of the model answers all of it.

    Args:
        answer: ``texts -> Answered``, called in the thread.
        max_batch: texts of a batch; a request with more is a batch of its own.
        max_wait: seconds that the first request of a batch waits for others.
        queue: texts that may wait.
        on_batch: called with the number of texts and the seconds of each batch that was answered.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[str]], Answered],
        *,
        max_batch: int,
        max_wait: float,
        queue: int,
        on_batch: Callable[[int, float], None] = lambda *_: None,
    ) -> None:
        self._answer = answer
        self._max_batch = max_batch
        self._max_wait = max_wait
        self._queue = queue
        self._on_batch = on_batch
        self._jobs: deque[_Job] = deque()
        self._waiting = 0
        self._some = asyncio.Event()
        self._full = asyncio.Event()
        self._seconds_per_text = 0.0
        self._closing = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._worker: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Texts in the queue, without those that the model works on."""
        return self._waiting

    @property
    def has_room(self) -> bool:
        return self._waiting < self._queue

    @property
    def alive(self) -> bool:
        return self._worker is not None and not self._worker.done()

    def start(self) -> None:
        self._worker = asyncio.create_task(self._work(), name="batches")

    async def close(self) -> None:
        """Answer what waits and what is under way, then end the thread."""
        self._closing = True
        self._some.set()
        if self._worker is not None:
            await self._worker
        self._thread.shutdown()

    async def submit(self, texts: Sequence[str]) -> Answered:
        """The answers to ``texts``. A caller that is cancelled frees its place in the queue.

        Raises:
            Refusal: 503, the queue has no room for them.
        """
        if self._waiting + len(texts) > self._queue:
            raise Refusal(
                503,
                "queue_full",
                f"{self._waiting} texts wait and the queue holds {self._queue}; try again",
                retry_after=self._waiting * self._seconds_per_text,
            )
        loop = asyncio.get_running_loop()
        job = _Job(texts, loop.create_future(), loop.time() + self._max_wait)
        self._jobs.append(job)
        self._count(len(texts))
        try:
            return await job.done
        except asyncio.CancelledError:
            if job in self._jobs:
                self._jobs.remove(job)
                self._count(-len(texts))
            raise

    def _count(self, texts: int) -> None:
        self._waiting += texts
        for event, reached in (
            (self._some, bool(self._jobs) or self._closing),
            (self._full, self._waiting >= self._max_batch),
        ):
            if reached:
                event.set()
            else:
                event.clear()

    async def _work(self) -> None:
        while True:
            await self._some.wait()
            if not self._jobs:  # the only one was taken back, or there will be no more
                if self._closing:
                    return
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._jobs[0].due):
                    await self._full.wait()
            if batch := self._take():
                await self._run(batch)

    def _take(self) -> list[_Job]:
        """The requests that were there first, as many as fit a batch, at least one if any waits."""
        batch: list[_Job] = []
        room = self._max_batch
        while self._jobs and (not batch or len(self._jobs[0].texts) <= room):
            job = self._jobs.popleft()
            self._count(-len(job.texts))
            room -= len(job.texts)
            batch.append(job)
        return batch

    async def _run(self, batch: list[_Job]) -> None:
        texts = [text for job in batch for text in job.texts]
        begun = monotonic()
        try:
            answered = await asyncio.get_running_loop().run_in_executor(self._thread, self._answer, texts)
        except Exception as error:
            if len(batch) > 1:  # one of them spoilt it, the others are answered
                for job in batch:
                    await self._run([job])
            elif not batch[0].done.done():
                batch[0].done.set_exception(error)
            return
        seconds = monotonic() - begun
        self._seconds_per_text += SMOOTHING * (seconds / len(texts) - self._seconds_per_text)
        self._on_batch(len(texts), seconds)
        first = 0
        for job in batch:
            last = first + len(job.texts)
            if not job.done.done():
                job.done.set_result(replace(answered, answers=answered.answers[first:last]))
            first = last
