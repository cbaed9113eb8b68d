"""Micro-batching: who shares a batch, who is refused, and that nobody pays for another's failure."""

import asyncio
import threading

import pytest

from serving.batcher import Batcher
from serving.live import Answered
from serving.refusals import Refusal


class Recorder:
    """Answers each text in capitals, keeps the batches, and can be held up."""

    def __init__(self):
        self.batches = []
        self.go = threading.Event()
        self.go.set()
        self.begun = threading.Event()

    def __call__(self, texts):
        self.begun.set()
        self.go.wait()
        self.batches.append(list(texts))
        if "bad" in texts:
            raise ValueError("bad")
        return Answered("v", "toy", [{"text": text.upper()} for text in texts])


def run(test, **options):
    """Run ``test(batcher, recorder)`` in a loop of its own."""

    async def body():
        recorder = Recorder()
        batcher = Batcher(recorder, **{"max_batch": 4, "max_wait": 0.0, "queue": 8} | options)
        batcher.start()
        try:
            await test(batcher, recorder)
        finally:
            recorder.go.set()
            await batcher.close()
        return recorder.batches

    return asyncio.run(body())


def test_requests_at_once_share_a_batch_and_none_is_divided():
    async def test(batcher, recorder):
        answers = await asyncio.gather(*(batcher.submit(texts) for texts in (["a"], ["b", "c"], ["d", "e"], ["f"])))
        assert [[answer["text"] for answer in one.answers] for one in answers] == [["A"], ["B", "C"], ["D", "E"], ["F"]]

    assert run(test) == [["a", "b", "c"], ["d", "e", "f"]]


def test_a_request_longer_than_a_batch_runs_alone():
    async def test(batcher, recorder):
        await asyncio.gather(batcher.submit(["a"]), batcher.submit(list("bcdefg")), batcher.submit(["h"]))

    assert run(test) == [["a"], list("bcdefg"), ["h"]]


def test_without_batches_each_request_runs_alone():
    async def test(batcher, recorder):
        await asyncio.gather(*(batcher.submit([text]) for text in "abc"))

    assert run(test, max_batch=1) == [["a"], ["b"], ["c"]]


def test_a_full_batch_does_not_wait():
    async def test(batcher, recorder):
        async with asyncio.timeout(30):
            await asyncio.gather(*(batcher.submit([text]) for text in "abcd"))

    assert run(test, max_wait=3600) == [["a", "b", "c", "d"]]


def test_one_alone_goes_after_its_wait():
    async def test(batcher, recorder):
        await batcher.submit(["a"])

    assert run(test, max_wait=0.01) == [["a"]]


def test_a_full_queue_refuses_and_has_room_again():
    async def test(batcher, recorder):
        recorder.go.clear()
        first = asyncio.create_task(batcher.submit(["a"]))
        await asyncio.to_thread(recorder.begun.wait)
        second = asyncio.create_task(batcher.submit(list("bcdefghi")))
        await asyncio.sleep(0)
        assert not batcher.has_room
        with pytest.raises(Refusal) as refused:
            await batcher.submit(["j"])
        assert refused.value.status == 503 and int(refused.value.headers["Retry-After"]) >= 1
        recorder.go.set()
        await asyncio.gather(first, second)
        assert batcher.has_room
        await batcher.submit(["j"])

    assert run(test) == [["a"], list("bcdefghi"), ["j"]]


def test_who_leaves_gives_up_the_place():
    async def test(batcher, recorder):
        recorder.go.clear()
        tasks = [asyncio.create_task(batcher.submit([text])) for text in "ab"]
        await asyncio.sleep(0)
        assert batcher.waiting == 2
        for task in tasks:  # before the worker has looked
            task.cancel()
        await asyncio.wait(tasks)
        assert batcher.waiting == 0
        recorder.go.set()
        await batcher.submit(["c"])

    assert run(test) == [["c"]]


def test_a_text_that_fails_spoils_its_own_request_only():
    async def test(batcher, recorder):
        good, bad, other = await asyncio.gather(
            *(batcher.submit([text]) for text in ("a", "bad", "c")), return_exceptions=True
        )
        assert isinstance(bad, ValueError)
        assert [good.answers, other.answers] == [[{"text": "A"}], [{"text": "C"}]]

    assert run(test) == [["a", "bad", "c"], ["a"], ["bad"], ["c"]]


def test_closing_answers_what_waits():
    async def body():
        recorder = Recorder()
        batcher = Batcher(recorder, max_batch=1, max_wait=0.0, queue=8)
        batcher.start()
        tasks = [asyncio.create_task(batcher.submit([text])) for text in "abc"]
        await asyncio.sleep(0)
        await batcher.close()
        assert not batcher.alive
        return [(await task).answers[0]["text"] for task in tasks]

    assert asyncio.run(body()) == ["A", "B", "C"]
