from collections.abc import Callable

from tasks.records import Example, Prediction
from tasks.scoring.cases import Place
from tasks.scoring.invariance import other_name, swapped, variation
from tasks.scoring.occurrences import Occurrences
from tasks.tags import from_spans

FACTS = Occurrences(
    {},
    {},
    {
        "PER": [("Ann",), ("Bob",), ("Carl", "Fox")],
        "LOC": [("Graz",)],
        "ORG": [("Acme", "Works", "Ltd")],
    },
)


def example(name: str, words: str, tags: str) -> Example:
    return Example(name, None, {"words": words.split()}, tags.split())


EXAMPLES = [
    example("v:1", "Ann saw Graz", "B-PER O B-LOC"),
    example("v:2", "nothing here", "O O"),
    example("v:3", "Zoe and Ann left", "B-PER O B-PER O"),
    example("v:4", "in Graz", "O B-LOC"),
    example("v:5", "Apex sued Bob Ray", "B-ORG O B-PER I-PER"),
]


def test_names_become_others_of_their_type_and_length_and_tags_follow() -> None:
    originals, variants = swapped(EXAMPLES, FACTS, 1, 100)
    assert [one.id for one in originals] == [one.id for one in variants] == ["v:1", "v:3", "v:5"]
    by_id = {one.id: one for one in variants}
    assert by_id["v:1"].inputs["words"] == ["Bob", "saw", "Graz"]  # the only other name of one word; Graz has none
    assert by_id["v:5"].inputs["words"] == ["Acme", "Works", "Ltd", "sued", "Carl", "Fox"]
    assert by_id["v:5"].target == ["B-ORG", "I-ORG", "I-ORG", "O", "B-PER", "I-PER"]
    assert by_id["v:3"].inputs["words"][2] == by_id["v:1"].inputs["words"][0]  # the same name everywhere
    assert all(len(one.inputs["words"]) == len(one.target) for one in variants)


def test_the_choice_is_bounded_by_seed_and_independent_of_other_sentences() -> None:
    few, _ = swapped(EXAMPLES, FACTS, 1, 1)
    assert len(few) == 1
    without = [one for one in EXAMPLES if one.id not in ("v:2", "v:4")]
    assert swapped(without, FACTS, 1, 1)[0] == few
    chosen = {other_name(("Zoe",), "PER", FACTS, seed) for seed in range(20)}
    assert chosen == {("Ann",), ("Bob",)}


def answers(examples: list[Example], find: Callable[[list[str]], list[Place]]) -> list[Prediction]:
    return [
        Prediction(one.id, one.target, from_spans(find(one.inputs["words"]), len(one.target)), [1.0] * len(one.target))
        for one in examples
    ]


def test_a_model_that_reads_names_changes_and_one_that_does_not_stays() -> None:
    originals, variants = swapped(EXAMPLES, FACTS, 1, 100)

    def knows_ann(words: list[str]) -> list[Place]:
        return [(place, place + 1, "PER") for place, word in enumerate(words) if word == "Ann"]

    found = variation(originals, answers(originals, knows_ann), variants, answers(variants, knows_ann))
    zoe_became_ann = variants[1].inputs["words"][0] == "Ann"
    assert found["sentences"] == 3
    assert (found["swapped"], found["lost"], found["gained"]) == (5, 2, int(zoe_became_ann))
    assert found["changed"] == found["lost"] + found["gained"]
    assert found["share"] == round(found["changed"] / 5, 6)
    assert found["per_type"]["ORG"] == {"swapped": 1, "changed": 0, "lost": 0, "gained": 0}
    assert "LOC" not in found["per_type"]  # Graz was not swapped
    gold = [Prediction(one.id, one.target, one.target, []) for one in originals]
    same = [Prediction(one.id, one.target, one.target, []) for one in variants]
    assert variation(originals, gold, variants, same)["changed"] == 0


def test_another_type_or_boundary_is_a_change() -> None:
    one, other = example("v:1", "Ann left", "B-PER O"), example("v:1", "Bob left", "B-PER O")
    before = [Prediction("v:1", one.target, ["B-PER", "O"], [])]
    for tags in (["B-ORG", "O"], ["B-PER", "I-PER"], ["O", "O"]):
        found = variation([one], before, [other], [Prediction("v:1", other.target, tags, [])])
        assert (found["changed"], found["lost"], found["gained"]) == (1, 1, 0)
    assert variation([], [], [], [])["share"] == 0.0
