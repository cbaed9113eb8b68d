from dataclasses import replace

import pytest

from hone.comparison import Difference, words
from hone.comparison_text import markdown, terminal
from tasks.scoring.paired import Comparison
from tasks.verdict import Judgement, Sentence

ONE = Comparison(0.5, 0.55, 0.02, 0.08, 0.0123, 0.043, 50, 100, (1, 1), "better")
FEWER = Comparison(-12.5, -3.0, 6.0, 13.0, 0.0001, 4.0, 9, 100, (2, 1), "better")
NASTY = Sentence("a.conll:1", "[A|B <b> PER]", "A|B *x* @team", "`code`")
JUDGEMENT = Judgement(
    "entity_f1", "documents", "sentences", ONE, {"PER": ONE}, {"missed": FEWER}, {"casing: a|b": ONE}, [NASTY], [], 1, 0
)
FOUND = Difference(["aaaaaaa"], ["workspace"], {"seed": ("1", "2")}, {}, ["A note."], JUDGEMENT)


@pytest.mark.parametrize(
    ("verdict", "start"),
    [
        ("better", "Better: entity_f1 +0.0500, 95 % interval +0.0200 to +0.0800, p 0.0123."),
        ("worse", "Worse: "),
        ("no evidence", "No evidence of a difference: "),
        ("too few data", "Too few data to tell: "),
    ],
)
def test_the_verdict_in_words(verdict, start) -> None:
    said = words(replace(JUDGEMENT, headline=replace(ONE, verdict=verdict)))
    assert said.startswith(start)
    visible = "on 100 documents a true difference of 0.043 is found in about 80 % of cases"
    assert (visible in said) == (verdict in ("no evidence", "too few data"))


def test_text_of_the_data_cannot_break_the_markdown() -> None:
    text = markdown(FOUND, None)
    assert "  - gold: \\[A\\|B &lt;b&gt; PER\\]" in text and "\\@team" in text and "\\`code\\`" in text
    assert "| casing: a\\|b | 0.5000 |" in text and "Gate" not in text


def test_errors_that_became_fewer_shrank() -> None:
    row = next(line for line in terminal(FOUND, None).splitlines() if line.startswith("  missed"))
    assert row.split() == ["missed", "12.5", "3", "-9.5", "-13", "to", "-6", "<", "0.001", "shrank"]


def test_no_errors_are_zero_and_not_minus_zero() -> None:
    none = replace(FEWER, before=-1.0, after=-0.0, low=-0.2, high=1.0)
    text = terminal(replace(FOUND, judgement=replace(JUDGEMENT, kinds={"missed": none})), None)
    row = next(line for line in text.splitlines() if line.startswith("  missed"))
    assert row.split()[1:7] == ["1", "0", "-1", "-1", "to", "+0"]


def test_what_the_gate_says() -> None:
    assert "Gate passed." in markdown(FOUND, []) and "gate passed" in terminal(FOUND, [])
    assert "**Gate failed:**\n- gate.minimum: low" in markdown(FOUND, ["gate.minimum: low"])


def test_nothing_changed_says_so() -> None:
    assert "nothing" in terminal(replace(FOUND, params={}), None).split("Params, data and code")[1]


def test_all_slices_that_are_sure_are_shown_and_else_the_surest() -> None:
    many = {f"s: {n:02}": replace(ONE, p=0.5 + n / 100, verdict="no evidence") for n in range(12)}
    shown = terminal(replace(FOUND, judgement=replace(JUDGEMENT, slices=many)), None)
    assert [n for n in range(12) if f"s: {n:02}" in shown] == list(range(8))
    sure = {name: replace(one, verdict="worse") for name, one in many.items()}
    assert "s: 11" in terminal(replace(FOUND, judgement=replace(JUDGEMENT, slices=sure)), None)


def test_what_was_fixed_and_broken_has_the_name_of_the_task() -> None:
    found = replace(FOUND, judgement=replace(JUDGEMENT, examples="histories", broken=[NASTY], broken_count=12))
    for text in (markdown(found, None), terminal(found, None)):
        assert "Histories fixed: 1" in text and "Histories broken: 12, the first 1" in text
        assert "entences" not in text
