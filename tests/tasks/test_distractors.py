"""Distractors: never the gold text, of another dialogue, the same for everybody."""

from collections import Counter

import pytest

from tasks.distractors import COUNT, with_candidates, wording
from tasks.records import Example


def example(number: int, text: str, service: str = "A", document: str | None = None) -> Example:
    target = {"text": text, "service": service, "act": ""}
    return Example(f"a:{number}", document, {"history": [{"role": "user", "text": "hi"}]}, target)


MANY = [example(n, f"text {n % 30}", "AB"[n % 2], f"d{n // 4}") for n in range(80)]


@pytest.mark.parametrize("near", ["service", "split"])
def test_ten_candidates_with_the_own_one_once_and_none_of_its_words_or_dialogue(near: str) -> None:
    by_text = {(one.target["text"], one.target["service"]): set() for one in MANY}
    for one in MANY:
        by_text[one.target["text"], one.target["service"]].add(one.document)
    services = Counter[bool]()
    for before, after in zip(MANY, with_candidates(MANY, near=near, seed=1), strict=True):  # type: ignore[arg-type]
        texts = [wording(one["text"]) for one in after.inputs["candidates"]]
        assert len(texts) == len(set(texts)) == COUNT + 1
        assert after.inputs["candidates"].count(before.target) == 1
        assert (after.id, after.target, after.inputs["history"]) == (before.id, before.target, before.inputs["history"])
        for one in after.inputs["candidates"]:
            if one != before.target:
                services[one["service"] == before.target["service"]] += 1
                assert by_text[one["text"], one["service"]] - {before.document}
    assert (services[False] == 0) == (near == "service")


def test_the_same_seed_draws_the_same_and_the_own_one_stands_anywhere() -> None:
    first, again, other = (list(with_candidates(MANY, near="split", seed=seed)) for seed in (1, 1, 2))
    assert first == again != other
    places = Counter(one.inputs["candidates"].index(one.target) for one in first)
    assert len(places) == COUNT + 1
    assert max(places.values()) < len(MANY) / 3


def test_case_and_spaces_make_no_other_response() -> None:
    few = [example(0, "Bye now"), example(1, "bye  NOW"), example(2, "yes")]
    (first, *_) = with_candidates(few, near="split", seed=1)
    assert sorted(one["text"] for one in first.inputs["candidates"]) == ["Bye now", "yes"]


def test_a_small_service_takes_from_others_and_at_last_from_its_own_dialogue() -> None:
    mixed = [example(0, "own", "A", "d0"), *(example(n, f"t{n}", "B", f"d{n}") for n in range(1, 5))]
    mixed.append(example(9, "same dialogue", "A", "d0"))
    (first, *_) = with_candidates(mixed, near="service", seed=1)
    assert {one["text"] for one in first.inputs["candidates"]} == {"own", "t1", "t2", "t3", "t4", "same dialogue"}
