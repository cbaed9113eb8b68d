"""Words per second of the scorer and seconds of its intervals, on 50,000 sentences made by rule."""

import argparse
import random
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tasks.scoring import entities, intervals


def sentences(count: int, types: int, wrong: float, seed: int = 1) -> tuple[list[list[str]], list[list[str]]]:
    """Gold and predicted IOB2 tags of sentences of 5 to 35 words; ``wrong`` is the share of words drawn anew."""
    generator = random.Random(seed)
    tags = ["O"] * (4 * types) + [f"{prefix}-T{number}" for number in range(types) for prefix in "BI"]
    gold = [generator.choices(tags, k=generator.randint(5, 35)) for _ in range(count)]
    predicted = [[generator.choice(tags) if generator.random() < wrong else tag for tag in row] for row in gold]
    return gold, predicted


def fastest(work: Callable[[], Any], rounds: int) -> float:
    """Seconds of the fastest of some rounds."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def measure(count: int, types: int, wrong: float, rounds: int) -> dict[str, float]:
    """Words per second of all scores; seconds of the intervals of all figures, and of the headline alone."""
    gold, predicted = sentences(count, types, wrong)
    words = sum(map(len, gold))
    counted = entities.count(gold, predicted)
    together = np.concatenate([matrix for matrix, _ in counted.variants().values()], 1)
    headline, figure = counted.variants()[""]
    groups = np.arange(count)
    return {
        "words": words,
        "words_per_second": words / fastest(lambda: entities.figures(entities.count(gold, predicted)), rounds),
        "all_intervals_seconds": fastest(lambda: intervals.resample(together, groups), rounds),
        "headline_interval_seconds": fastest(lambda: intervals.bootstrap(headline, groups, figure), rounds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for types, wrong in ((4, 0.05), (4, 0.3), (18, 0.05)):
        found = measure(options.sentences, types, wrong, options.rounds)
        print(
            f"{types:>2} types, {wrong:.0%} of words drawn anew, {found['words']:,.0f} words: "
            f"{found['words_per_second'] / 1e6:.2f} million words/s; intervals of all figures "
            f"{found['all_intervals_seconds']:.2f} s, of the headline {found['headline_interval_seconds']:.2f} s"
        )


if __name__ == "__main__":
    main()
