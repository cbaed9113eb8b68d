"""How often the verdict is wrong on equal systems, and how large a difference it finds.

`python -m benchmarks.verdict_simulation`

Draws pairs of systems that are equal in truth, as often as --pairs says, and counts how often `tasks.scoring.paired`
says "better" or "worse" of them: at most 5 % is promised. Then it makes the second system better by more and more and
reports the true difference that is found in 80 % of cases, beside what the verdict itself calls visible.

The world: a test set is drawn anew for each pair. A document has a difficulty, and each pair of system and document an
effect of its own, on the log-odds that an entity is found; spurious entities come on top. Where seeds differ, each
model also has an effect of its own, as fine-tuning has. One thread, about seven minutes with the defaults.
"""

import argparse
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.scoring.measures import f1
from tasks.scoring.paired import compare

RELEVANT = 0.05
SHIFTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.2, 1.6)  # of the second system's log-odds
ENOUGH = 0.8  # share of the differences are to be found


@dataclass(frozen=True)
class World:
    """How test sets and systems are drawn.

    Attributes:
        documents: in a test set.
        sentences: in each document.
        seeds: models on either side.
        seed_spread: standard deviation of a model's own effect, on the log-odds.
        habits: whether the first system invents more and misses less than the second, at the same F1.
    """

    name: str
    documents: int
    sentences: int
    seeds: tuple[int, int] = (1, 1)
    seed_spread: float = 0.0
    habits: bool = False


WORLDS = (
    World("50 documents of 5", 50, 5),
    World("200 sentences", 200, 1),
    World("1000 sentences", 1000, 1),
    World("3500 sentences", 3500, 1),
    World("200 documents of 15", 200, 15),
    World("200 sentences, other habits", 200, 1, habits=True),
    World("1000 sentences, other habits", 1000, 1, habits=True),
    World("2 x 2 seeds, 1000 sentences", 1000, 1, (2, 2), 0.08),
    World("3 x 3 alike seeds, 1000 sentences", 1000, 1, (3, 3), 0.0),
    World("3 x 3 seeds, 1000 sentences", 1000, 1, (3, 3), 0.08),
    World("3 x 3 wild seeds, 1000 sentences", 1000, 1, (3, 3), 0.3),
    World("1 x 5 seeds, 1000 sentences", 1000, 1, (1, 5), 0.08),
    World("5 x 5 seeds, 1000 sentences", 1000, 1, (5, 5), 0.08),
)
FINDS, INVENTS = 1.4, 0.25  # log-odds of finding an entity, spurious entities per gold one
CAREFUL = 0.1  # the same of a system of other habits; what it finds is solved for equal F1


def draw(
    world: World, shift: float, rng: np.random.Generator
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Counts (sentences, 3) of each model of both sides on one new test set."""
    hard = rng.normal(0, 0.8, world.documents)
    gold = rng.poisson(1.5, (world.documents, world.sentences))
    sides: list[list[NDArray[np.float64]]] = []
    for side, seeds in enumerate(world.seeds):
        careful = world.habits and side == 1
        base = careful_log_odds() if careful else FINDS
        own = rng.normal(0, 0.5, world.documents)
        models: list[NDArray[np.float64]] = []
        for _ in range(seeds):
            effect = rng.normal(0, world.seed_spread) + shift * side
            rate = 1 / (1 + np.exp(-(base + effect + hard + own)))[:, None]
            right = rng.binomial(gold, rate)
            spurious = rng.poisson((CAREFUL if careful else INVENTS) * 1.5, gold.shape)
            models.append(np.stack([right, right + spurious, gold], axis=-1).reshape(-1, 3).astype(np.float64))
        sides.append(models)
    return sides[0], sides[1]


def truth(shift: float, careful: bool = False) -> float:
    """F1 of a system over infinitely many documents."""
    return _f1(careful_log_odds() + shift, CAREFUL) if careful else _f1(FINDS + shift, INVENTS)


def _f1(log_odds: float, invents: float) -> float:
    effects = np.random.default_rng(0).normal(0, np.hypot(0.8, 0.5), 400_000)
    rate = float((1 / (1 + np.exp(-(log_odds + effects)))).mean())
    return 2 * rate / (rate + invents + 1)


def careful_log_odds() -> float:
    """Log-odds of finding with which the careful system has the F1 of the other; bisected once."""
    if not _SOLVED:
        low, high, wanted = -3.0, FINDS, _f1(FINDS, INVENTS)
        for _ in range(30):
            middle = (low + high) / 2
            low, high = (middle, high) if _f1(middle, CAREFUL) < wanted else (low, middle)
        _SOLVED.append((low + high) / 2)
    return _SOLVED[0]


_SOLVED: list[float] = []


@dataclass(frozen=True)
class Row:
    """What came out for one world; differences in F1."""

    world: str
    wrong: int
    pairs: int
    found_in_80: float | None
    called_visible: float


def simulate(world: World, pairs: int, power_pairs: int, resamples: int, rng: np.random.Generator) -> Row:
    """Wrong verdicts on equal systems, and the true difference found in 80 % (None: not within SHIFTS)."""
    groups = np.repeat(np.arange(world.documents), world.sentences)

    def verdicts(shift: float, count: int) -> Iterator[tuple[str, float]]:
        for number in range(count):
            sides = draw(world, shift, rng)
            result = compare(*sides, groups, f1, relevant=RELEVANT, resamples=resamples, seed=number)
            yield result.verdict, result.detectable

    equal = list(verdicts(0.0, pairs))
    wrong = sum(verdict in ("better", "worse") for verdict, _ in equal)
    base = truth(0.0)
    found, last = None, (0.0, wrong / pairs / 2)
    for shift in SHIFTS[1:]:
        share = sum(verdict == "better" for verdict, _ in verdicts(shift, power_pairs)) / power_pairs
        here = (truth(shift, world.habits) - base, share)
        if share >= ENOUGH:
            found = last[0] + (here[0] - last[0]) * (ENOUGH - last[1]) / (share - last[1])
            break
        last = here
    return Row(world.name, wrong, pairs, found, float(np.median([visible for _, visible in equal])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1000, help="equal pairs per world")
    parser.add_argument("--power-pairs", type=int, default=100, help="unequal pairs per world and difference")
    parser.add_argument("--resamples", type=int, default=500, help="of each comparison")
    parser.add_argument("--only", default="", help="worlds whose name this expression finds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    rows = []
    print(f"{'world':36} {'wrong':>14} {'found in 80 %':>14} {'called visible':>15}")
    for number, world in enumerate(WORLDS):
        if not re.search(arguments.only, world.name):
            continue
        rng = np.random.default_rng([arguments.seed, number])
        row = simulate(world, arguments.pairs, arguments.power_pairs, arguments.resamples, rng)
        rows.append(row)
        found = f"{row.found_in_80:.4f}" if row.found_in_80 is not None else "not found"
        wrong = f"{row.wrong}/{row.pairs} {row.wrong / row.pairs:5.1%}"
        print(f"{row.world:36} {wrong:>14} {found:>14} {row.called_visible:>15.4f}", flush=True)
    if arguments.output:
        arguments.output.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
