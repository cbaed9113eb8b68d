import re
from pathlib import Path

import pytest

from benchmarks.verdict_story import CHANGES, START, Change, Chapter, fill, shortened, tell

PAGE = Path(__file__).parents[2] / "docs/verdict.md"


def test_the_story_is_told_on_branches(branches):
    changes = (Change("up", "finetune.learning_rate", "1.0e-3"), Change("down", "finetune.learning_rate", "3.0e-3"))
    chapters = tell(branches.folder, Change("start", "finetune.learning_rate", "1.0e-4"), changes)
    assert [chapter.verdict for chapter in chapters] == ["better", "worse"]
    assert chapters[0].output.startswith("Better: entity_f1 +")
    assert len(re.findall(r"^  test\.conll:\d+$", chapters[0].output.split("Sentences fixed")[1], flags=re.M)) <= 4


def test_long_lists_of_sentences_are_cut_and_nothing_else():
    block = "Sentences fixed: 3\n" + "\n".join(f"  a.conll:{n}\n    gold    x" for n in range(3))
    assert shortened(f"Better.\n\n{block}") == "Better.\n\n" + block.rsplit("\n", 2)[0] + "\n  ..."
    assert shortened("Sentences fixed: 1\n  a.conll:1\n    gold    x").endswith("gold    x")


def test_a_page_is_filled_again_and_again():
    chapter = Chapter(CHANGES[0], "better", r"Better \1.")
    page = f"before\n<!-- {CHANGES[0].name} -->\nold\n<!-- end -->\nafter\n"
    once = fill(page, [chapter])
    assert f"$ hone diff {START.name} {CHANGES[0].name}\nBetter \\1.\n```" in once and "old" not in once
    assert once == fill(once, [chapter])
    with pytest.raises(ValueError, match="has no"):
        fill("", [chapter])


def test_the_page_has_the_marks_and_the_params_exist():
    text, params = PAGE.read_text(), (PAGE.parents[1] / "params.yaml").read_text()
    for change in (START, *CHANGES):
        assert len(re.findall(rf"(?m)^  {change.key.split('.')[1]}: +\S+", params)) == 1
    assert [change.name for change in CHANGES if f"<!-- {change.name} -->" not in text] == []
