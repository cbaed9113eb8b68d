"""The story runs its steps in order, goes on where it was, and fills the page."""

from pathlib import Path

import pytest

from benchmarks.loop_story import Step, fill, steps, tell, winner

PAGE = Path(__file__).parents[2] / "docs/loop.md"


def test_steps_run_once_and_the_winner_is_adopted(tmp_path: Path) -> None:
    asked: list[str] = []

    def call(_: Path, step: Step) -> str:
        asked.append(step.command)
        return "try next   hone adopt sweep-1-7\n" if step.name == "sweep" else f"{step.name} said"

    story = steps(20, 3)
    told = tell(tmp_path, tmp_path, story, call)
    assert "hone adopt sweep-1-7" in asked and 'hone try "rare names need a calmer start" --expect +0.5' in asked[1]
    assert told["curve"] == "$ hone curve --seeds 3\ncurve said\n" and len(asked) == len(story)
    assert tell(tmp_path, tmp_path, story, call) == told and len(asked) == len(story)
    with pytest.raises(ValueError, match="no winner"):
        winner({"sweep": "nothing"})


def test_the_page_has_a_mark_for_every_step_and_is_filled_again_and_again() -> None:
    page = PAGE.read_text()
    told = {step.name: f"$ {step.command}\n\\1 x" for step in steps(20, 3)}
    once = fill(page, told)
    assert all(text in once for text in told.values())
    assert fill(once, told) == once
