"""The comment: the headline first, short enough, and nothing of the data works as Markdown in it."""

import re
from dataclasses import replace

import pytest

from tasks.reporting.gather import Report
from tasks.reporting.goal import Goal
from tasks.reporting.markdown import code, fenced, markdown, plain
from tasks.reporting.mistakes import Mistake, Mistakes, Run


def test_the_headline_stands_first(gathered: Report) -> None:
    text = markdown(gathered)
    assert text.startswith("## `tiny`\n")
    assert "| **validation** | **0.593** [0.443, 0.743] | 0.615 | 0.571 | 0.593 | 0.308 | 0.000 | 14 |" in text
    assert "| **test** | **0.909** [0.759, 1.000] |" in text
    assert "**Goal 0.750 on validation:** 0.157 to go." in text
    assert "In brackets the 95 % bootstrap over documents, 1000 resamples." in text
    assert text.index("strict entity F1") < text.index("### What to work on next") < text.index("### Types")
    assert text.index("### Types") < text.index("### Data") < text.index("### Worst")
    assert "| `LOC` | 0.444 [0.244, 0.644] | 6 | 1.000 [0.800, 1.000] | 2 |" in text
    assert "| `MISC` | 0.000 [0.000, 0.200] | 1 | - | 0 |" in text
    assert "| type `LOC` | +0.296 | 0.889 | 4 |\n| kind `wrong type` | +0.222 | 0.815 | 3 |" in text
    assert "Suspected annotation mistakes: 1 place of validation" in text
    assert "- train: `broken columns` refused 2 times, 2 entities lost by it" in text


def test_a_goal_for_another_figure_names_it(gathered: Report) -> None:
    goal = Goal("per_type.LOC.f1", 0.5, 0.444444, None, headline=False)
    made = markdown(replace(gathered, goal=goal))
    assert "**Goal 0.500 on validation for `per_type.LOC.f1`, now 0.444:** 0.056 to go." in made


def test_every_table_is_whole(gathered: Report) -> None:
    tables = re.findall(r"(?:^\|.*\|\n)+", markdown(gathered), flags=re.MULTILINE)
    assert len(tables) == 4
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_nothing_links_or_calls_somebody(gathered: Report) -> None:
    outside = re.sub(r"```+text\n.*?\n```+", "", markdown(gathered), flags=re.DOTALL)
    assert not re.search(r"https?:|www\.|\]\(|@\w|#\d", outside)


def hostile(text: str, gathered: Report) -> Report:
    run = Run(text, "PER", False)
    mistake = Mistake("f:1", 0.9, (run,), (run,), ())
    return replace(gathered, mistakes=Mistakes((mistake,), 1, 1, 1, ()))


@pytest.mark.parametrize("text", ["``` @someone", "`````", "#12 https://a.example/b", "| x |", "<img src=x>"])
def test_a_sentence_stays_inside_its_block(text: str, gathered: Report) -> None:
    made = markdown(hostile(text, gathered))
    fence = re.search(r"^(`{3,})text\n", made, flags=re.MULTILINE)
    assert fence
    block = made[fence.end() :]
    assert block.count(f"[PER {text}]") == 2
    assert block.endswith(f"\n{fence.group(1)}\n")
    assert block.count(fence.group(1)) == 1


def test_long_texts_are_cut_between_items(gathered: Report) -> None:
    runs = (Run("far " * 200, None, True), Run("Dagny", "PER", False))
    mistake = Mistake("f:1", 0.9, runs, runs, ())
    made = markdown(replace(gathered, mistakes=Mistakes((mistake,) * 40, 40, 40, 40, ())))
    assert " … far" in made
    assert made.count("[PER Dagny]") == 10
    assert len(made) < 6_000


def test_many_types_are_not_all_listed(gathered: Report) -> None:
    types = {f"T{n:03}": next(iter(gathered.scores["test"].types.values())) for n in range(150)}
    scores = {split: replace(own, types=types) for split, own in gathered.scores.items()}
    made = markdown(replace(gathered, types=tuple(types), scores=scores))
    assert "120 smaller types are in report.html." in made
    assert len(made) < 65_536  # the longest comment that GitHub takes


@pytest.mark.parametrize(
    ("text", "written"), [("PER", "`PER`"), ("a|b", r"`a\|b`"), ("a`b", "`` a`b ``"), ("``", "``` `` ```")]
)
def test_code(text: str, written: str) -> None:
    assert code(text) == written


def test_fenced_and_plain() -> None:
    assert fenced("a") == "```text\na\n```"
    assert fenced("````") == "`````text\n````\n`````"
    assert plain("a_b [x] @y") == r"a\_b \[x\] \@y"
