"""Translations against sacrebleu's own figures, and what a fault is."""

import random

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF

from tasks.records import Example, Prediction
from tasks.scoring import selection, translation
from tasks.scoring.analysis import analyse
from tasks.scoring.cases import RIGHT
from tasks.scoring.translation import ANALYSIS, HEADLINE
from tasks.scoring.written import EMPTY, FAR, NUMBER_INVENTED, NUMBER_LOST, REPEATS, TOO_LONG, TOO_SHORT

FARAWAY = "nichts davon kommt dort so vor"
WORDS = ["ein", "Mann", "läuft", "über", "das", "Gras", ",", "2", "Hunde", "im", "Park.", "Schnee"]


def predictions(number: int, seed: int, references: int = 1) -> list[Prediction]:
    draw = random.Random(seed)
    made = []
    for index in range(number):
        gold = [" ".join(draw.choices(WORDS, k=draw.randint(1, 14))) for _ in range(references)]
        words = [word for word in gold[0].split() if draw.random() < 0.8] or ["Haus"]
        made.append(Prediction(f"a:{index}", gold, [" ".join([*words, *draw.choices(WORDS, k=index % 3)])], [0.5]))
    return made


def one(gold: str | list[str], text: str) -> Prediction:
    return Prediction("a:1", [gold] if isinstance(gold, str) else gold, [text], [0.5])


@pytest.mark.parametrize("references", [1, 2, 3])
def test_bleu_and_chrf_are_those_of_sacrebleu(references: int) -> None:
    made = predictions(80, seed=1, references=references)
    given = [prediction.predicted[0] for prediction in made]
    wanted = [[prediction.gold[number] for prediction in made] for number in range(references)]
    scores = translation.score(made)
    bleu, chrf = BLEU(), CHRF()
    assert scores["bleu"] == pytest.approx(bleu.corpus_score(given, wanted).score / 100, abs=1e-6)
    assert scores["chrf"] == pytest.approx(chrf.corpus_score(given, wanted).score / 100, abs=1e-6)
    assert scores["signature"] == {"bleu": str(bleu.get_signature()), "chrf": str(chrf.get_signature())}
    assert scores["bleu_low"] < scores["bleu"] < scores["bleu_high"]
    assert scores["gold_entities"] == 80 * references


@pytest.mark.parametrize(
    ("gold", "text"),
    [
        ("ein Mann läuft", "ein Hund läuft"),  # no 3-gram in common, and none of four words
        ("ein Mann läuft über das Gras", "Mann Gras ein das"),
        ("ein Mann läuft über das Gras", "nichts davon hier zu sehen"),
        ("ein Mann läuft über das Gras", ""),
    ],
)
def test_a_single_text_is_smoothed_as_sacrebleu_does(gold: str, text: str) -> None:
    assert HEADLINE.of([one(gold, text)]) == pytest.approx(BLEU().corpus_score([text], [[gold]]).score / 100)


def test_chinese_is_cut_into_characters() -> None:
    gold, text = "男子在跑步，穿着红色衣服。", "男子在走路，穿着红色衣服。"
    assert HEADLINE.of([one(gold, text)]) == pytest.approx(
        BLEU(tokenize="zh").corpus_score([text], [[gold]]).score / 100
    )
    assert "tok:zh" in translation.score([one(gold, text)])["signature"]["bleu"]
    assert "tok:13a+zh" in translation.score([one(gold, text), one("a b", "a b")])["signature"]["bleu"]


def test_the_best_epoch_is_chosen_by_the_headline() -> None:
    made = predictions(40, seed=2)
    chosen = selection.bleu([p.gold for p in made], [p.predicted for p in made])
    assert chosen == pytest.approx(translation.score(made)["bleu"], abs=1e-6)
    assert selection.bleu([], []) == 0.0


@pytest.mark.parametrize(
    ("gold", "text", "kind"),
    [
        ("ein Mann läuft über das Gras", "ein Mann läuft über Gras", RIGHT),
        ("ein Mann läuft", " ", EMPTY),
        ("ein Mann läuft über das Gras", "ein Mann läuft läuft über Gras", REPEATS),
        ("ein Mann läuft über das Gras und über das Gras", "ein Mann und ein Mann und über das", RIGHT),
        ("ein Mann und 2 Hunde", "ein Mann und Hunde", NUMBER_LOST),
        ("ein Mann und Hunde", "ein Mann und 3 Hunde", NUMBER_INVENTED),
        ("ein Mann läuft über das Gras", "ein Mann", TOO_SHORT),
        ("ein Mann läuft", "ein Mann läuft über das Gras", TOO_LONG),
        ("ein Mann läuft über das Gras", "dort sitzt wohl eine Kuh", FAR),
        (["ein Mann und 2 Hunde", "ein Mann und zwei Hunde"], "ein Mann und zwei Hunde", RIGHT),
    ],
)
def test_a_fault_has_a_name(gold: str | list[str], text: str, kind: str) -> None:
    (case,) = ANALYSIS.cases([one(gold, text)])
    assert case.kind == kind


def test_what_if_figures_promise_the_level_of_the_other_texts_and_no_more() -> None:
    good, bad = (
        one("ein Mann läuft über das grüne Gras", "ein Mann läuft über das Gras"),
        one("sechs Worte stehen hier im Text", FARAWAY),
    )
    cases = ANALYSIS.cases([good, good, bad])
    assert [case.kind for case in cases] == [RIGHT, RIGHT, FAR]
    assert cases[0].if_right == cases[0].counts
    alone = HEADLINE.of([good])
    mended = np.array([case.if_right for case in cases])
    assert 0 < HEADLINE.of([good, good, bad]) < alone < 1
    assert float(HEADLINE.figure(mended.sum(axis=0))) == pytest.approx(alone)
    (only,) = ANALYSIS.cases([bad])
    assert float(HEADLINE.figure(np.array(only.if_right))) == 1.0


def test_gold_has_no_fault_and_every_case_adds_up() -> None:
    made = predictions(60, seed=3)
    examples = [Example(p.id, None, {"text": "two dogs"}, p.gold) for p in made]
    found = analyse(ANALYSIS, HEADLINE, examples, made, [], list, seed=1, variants=9, confidence=0.9)
    assert found.focus["headline"]["value"] == pytest.approx(translation.score(made)["bleu"], abs=1e-6)
    assert sum(found.focus["errors"].values()) == len(found.mistakes) > 0
    gold = [Prediction(p.id, p.gold, p.gold, [1.0]) for p in made]
    assert {case.kind for case in ANALYSIS.cases(gold)} == {RIGHT}


def test_slices_see_names_numbers_repetition_and_copies() -> None:
    source = "Angela saw 12 dogs in Graz"
    example = Example("a:1", "d", {"text": source}, ["Angela sah 12 Hunde in Graz"])

    def slices(text: str) -> dict[str, str]:
        prediction = Prediction("a:1", example.target, [text], [0.5])
        return dict(ANALYSIS.slices(ANALYSIS.cases([prediction])[0], example, None))

    found = slices("Angela sah 12 Hunde in Graz")
    assert found["names and numbers"] == "all copied"
    assert found["source length"] == "6 to 10"
    assert found["document"] == "d"
    assert slices("Angela sah Hunde Hunde")["repetition"] == "repeats itself"
    assert slices("Angela sah Hunde")["names and numbers"] == "some lost"
    assert slices(source)["copied from the source"] == "6 tenths or more"


def test_copying_the_source_is_the_baseline() -> None:
    examples = [Example("a:1", None, {"text": "one two three four five"}, ["one two three four six"])]
    expected = BLEU().corpus_score(["one two three four five"], [["one two three four six"]]).score / 100
    assert HEADLINE.of(translation.baselines([], examples)["copy"]) == pytest.approx(expected)
