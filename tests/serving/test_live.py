"""When a folder counts as a new model, without a server."""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass

import pytest

from serving import live as live_module
from serving.live import Live
from serving.model import serve_from, signature
from tasks.errors import UserError


@dataclass
class Toy:
    name: str
    task: str = "toy"

    def answers(self, texts):
        return [{"text": text, "by": self.name} for text in texts]


def load(folder):
    return Toy(json.loads((folder / "export.json").read_text())["name"])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "export.json").write_text('{"name": "first"}')
    return tmp_path


def test_the_version_follows_the_bytes_and_nothing_else(folder):
    first = serve_from(folder, load).version
    text = (folder / "export.json").read_text()
    (folder / "export.json").unlink()
    (folder / "export.json").write_text(text)
    assert serve_from(folder, load).version == first
    (folder / "model.onnx").write_bytes(b"x")
    assert serve_from(folder, load).version != first


def test_a_folder_that_changes_while_it_is_read_is_refused(folder):
    def slow(path):
        (path / "model.onnx").write_bytes(b"half")
        return load(path)

    with pytest.raises(UserError, match="changed while it was read"):
        serve_from(folder, slow)


def test_a_task_that_wants_more_than_a_text_is_served(folder):
    class Asking(Toy):
        def answers(self, texts):
            raise UserError("a question needs a text to look in")

    assert serve_from(folder, lambda _: Asking("first")).model.name == "first"


def watch(live, steps):
    """Look at the folder as often as there are steps, each run before its look; the versions in use after each."""

    async def body():
        seen = []
        looks = iter(steps)
        done = asyncio.Event()
        real = live_module.signature

        def look(path):
            if path is not live._folder:
                return real(path)
            step = next(looks, None)
            if step is None:
                done.set()
            else:
                step()
            seen.append(live.answer(["x"]).answers[0]["by"])
            return real(path)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(live_module, "signature", look)
            watching = asyncio.create_task(live.watch(0.001))
            await done.wait()
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
        return seen

    return asyncio.run(body())


def test_a_new_model_is_taken_up_once_it_rests(folder):
    live = Live(folder, load)

    def half():
        (folder / "model.onnx").write_bytes(b"half")

    def whole():
        (folder / "model.onnx").write_bytes(b"whole")
        (folder / "export.json").write_text('{"name": "second"}')

    def rest():
        pass

    assert watch(live, [rest, half, whole, rest, rest]) == ["first"] * 4 + ["second"] * 2


def test_a_folder_that_is_gone_for_a_while_is_no_news(folder):
    live = Live(folder, load)
    text = (folder / "export.json").read_text()

    def gone():
        (folder / "export.json").unlink()
        folder.rmdir()

    def back():
        folder.mkdir()
        (folder / "export.json").write_text(text)

    tried = []
    live.on_change = tried.append
    assert set(watch(live, [gone, lambda: None, back, lambda: None, lambda: None])) == {"first"}
    assert tried == []
    assert signature(folder)
