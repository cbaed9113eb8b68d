"""Written responses against sacrebleu's own figures, their baselines, and what a slice is."""

import random

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF

from tasks.records import Example, Prediction
from tasks.scoring import selection
from tasks.scoring.analysis import analyse
from tasks.scoring.cases import RIGHT
from tasks.scoring.dialogue_generation import ANALYSIS, HEADLINE, baselines, most_frequent, score
from tasks.scoring.distinct import distinct

WORDS = ["Do", "you", "want", "it", "at", "6:30", "pm", "in", "Oakland", "?", "Table", "for", "2", "booked", "."]


def said(*turns: str, gold: str, service: str = "Freight", act: str = "", number: int = 1) -> Example:
    history = [{"role": role, "text": text} for role, text in zip(("user", "system") * 9, turns, strict=False)]
    return Example(f"a:{number}", None, {"history": history, "about": {"service": service, "act": act}}, [gold])


def wrote(example: Example, text: str) -> Prediction:
    return Prediction(example.id, example.target, [text], [0.5], example.document)


def predictions(number: int, seed: int) -> list[Prediction]:
    draw = random.Random(seed)
    made = []
    for index in range(number):
        gold = draw.choices(WORDS, k=draw.randint(1, 14))
        text = " ".join(word.lower() for word in gold if draw.random() < 0.8) or "no"
        made.append(Prediction(f"a:{index}", [" ".join(gold)], [text], [0.5]))
    return made


def test_figures_are_those_of_sacrebleu_without_case() -> None:
    made = predictions(80, seed=1)
    given, wanted = [one.predicted[0] for one in made], [[one.gold[0] for one in made]]
    scores, bleu, chrf = score(made), BLEU(lowercase=True), CHRF(lowercase=True)
    assert scores["bleu"] == pytest.approx(bleu.corpus_score(given, wanted).score / 100, abs=1e-6)
    assert scores["chrf"] == pytest.approx(chrf.corpus_score(given, wanted).score / 100, abs=1e-6)
    assert scores["signature"] == {"bleu": str(bleu.get_signature()), "chrf": str(chrf.get_signature())}
    for name in ("bleu", "chrf", "distinct_1", "distinct_2"):
        assert scores[f"{name}_low"] < scores[name] < scores[f"{name}_high"]
    assert scores["distinct_2_of_gold"] == pytest.approx(distinct(wanted[0], 2, np.arange(80))[0], abs=1e-6)


def test_the_best_epoch_is_chosen_by_the_headline() -> None:
    made = predictions(40, seed=2)
    chosen = selection.chrf([one.gold for one in made], [one.predicted for one in made])
    assert chosen == pytest.approx(HEADLINE.of(made)) == pytest.approx(score(made)["chrf"], abs=1e-6)
    assert selection.chrf([], []) == 0.0


def test_baselines_say_again_look_up_and_repeat() -> None:
    train = [
        said("i need a table", gold="For how many?", number=1),
        said("where is the box", gold="In Graz.", number=2),
        said("and the other box", gold="in  graz", number=3),
        said("goodbye then", gold="Have a nice day.", number=4),
    ]
    asked = [said("hello", "Hello, what is it?", "where is my box", gold="In Graz.")]
    found = baselines(iter(train), iter(asked))
    assert {name: made[0].predicted for name, made in found.items()} == {
        "copy": ["where is my box"],
        "tfidf": ["In Graz."],
        "frequent": ["In Graz."],
    }
    assert HEADLINE.of(found["tfidf"]) == 1.0 > HEADLINE.of(found["copy"]) > 0
    assert most_frequent(["no", "Yes.", "yes"]) == "Yes."


def slices(example: Example, text: str, train: list[Example]) -> dict[str, str]:
    made = [wrote(example, text)]
    cases = ANALYSIS.cases(made)
    return dict(ANALYSIS.slices(cases[0], example, ANALYSIS.facts(iter(train), [example], cases)))


def test_slices_are_place_service_act_copies_repetition_and_train() -> None:
    train = [said("hi", gold="Have a nice day.", service="Visits", number=n) for n in range(12)]
    asked = said(
        "A table in Oakland for 2 please",
        "When?",
        "at 6:30 pm",
        gold="A table for 2 in Oakland at 6:30 pm?",
        act="CONFIRM",
    )
    assert slices(asked, "have a nice day", train) == {
        "turn": "3rd or 4th",
        "history length": "10 to 29",
        "names and numbers": "all lost",
        "repetition": "none",
        "written response in train": "10 times or more",
        "gold response in train": "never",
        "service": "Freight",
        "service in train": "unseen",
        "act": "CONFIRM",
    }
    assert slices(asked, "table in oakland, at 6:30 for 2", train)["names and numbers"] == "all copied"
    assert slices(asked, "table in oakland for two", train)["names and numbers"] == "some lost"
    assert slices(asked, "is is it", train)["repetition"] == "repeats itself"
    unknown = said("hi", gold="Have a nice day!", service="", number=5)
    found = slices(unknown, "Bye", train)
    assert found["gold response in train"] == "10 times or more"
    assert not {"service", "service in train", "act"} & set(found)
    assert slices(said("hi", gold="Hm.", service="Visits"), "Bye", train)["service in train"] == "seen"


def test_cases_add_up_and_gold_has_no_fault() -> None:
    made = predictions(60, seed=3)
    examples = [said("hi", gold=one.gold[0], number=number) for number, one in enumerate(made)]
    found = analyse(ANALYSIS, HEADLINE, examples, made, iter(examples), list, seed=1, variants=9, confidence=0.9)
    assert found.focus["headline"]["value"] == pytest.approx(score(made)["chrf"], abs=1e-6)
    assert sum(found.focus["errors"].values()) == len(found.mistakes) > 0
    gold = [Prediction(one.id, one.gold, one.gold, [1.0]) for one in made]
    assert {case.kind for case in ANALYSIS.cases(gold)} == {RIGHT}
    assert not any(word in str(found.mistakes) for word in ("Oakland", "Table"))
