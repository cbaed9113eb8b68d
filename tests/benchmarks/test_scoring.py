from benchmarks.scoring import measure, sentences


def test_made_sentences_are_the_same_each_time_and_wrong_as_asked_for() -> None:
    gold, predicted = sentences(200, 4, 0.2)
    assert (gold, predicted) == sentences(200, 4, 0.2)
    pairs = [pair for one, other in zip(gold, predicted, strict=True) for pair in zip(one, other, strict=True)]
    assert 0.1 < sum(one != other for one, other in pairs) / len(pairs) < 0.2
    assert {5, 35} <= set(map(len, gold))


def test_it_measures_what_it_says() -> None:
    found = measure(300, 4, 0.1, 1)
    assert found["words_per_second"] > 10_000
    assert 0 < found["headline_interval_seconds"] < 60
