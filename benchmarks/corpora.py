"""The sentences that speed is measured on: WNUT-17 where it is at hand, and a corpus as long as CoNLL-2003's.

CoNLL-2003 itself may not be passed on. What its sentences cost depends on their lengths alone, so sentences of those
lengths are cut from the running text of the shipped corpus, the same ones on every machine.
"""

import json
import random
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "data" / "raw" / "hone-ner"
WNUT17 = ROOT.parent / "shared" / "data" / "ner" / "wnut17"

# (share of the sentences, words): between two knots the lengths rise evenly. Mean 14.5, median 10, 90th percentile 32,
# maximum 113, as in CoNLL-2003's train; the rest between them is chosen so that the mean comes out.
KNOTS = (
    (0.00, 1.0),
    (0.10, 3.0),
    (0.25, 5.6),
    (0.50, 10.0),
    (0.75, 20.2),
    (0.90, 32.0),
    (0.97, 39.0),
    (0.995, 52.0),
    (1.00, 113.0),
)

Sentence = tuple[list[str], list[str]]  # words and their IOB2 tags


def conll_lengths(count: int) -> list[int]:
    """Words of each of ``count`` sentences, ascending: evenly spaced quantiles of the distribution above.

    Raises:
        ValueError: fewer than two sentences.
    """
    if count < 2:
        raise ValueError(f"a distribution needs at least 2 sentences, not {count}")
    return [round(_quantile(index / (count - 1))) for index in range(count)]


def _quantile(share: float) -> float:
    for (low, first), (high, last) in pairwise(KNOTS):
        if share <= high:
            return first + (last - first) * (share - low) / (high - low)
    return KNOTS[-1][1]


def sentences(count: int, stream: Sequence[tuple[str, str]], seed: int = 1) -> Iterator[Sentence]:
    """``count`` sentences of CoNLL's lengths in random order, each cut from a random place of ``stream``.

    Args:
        stream: running words with IOB2 tags.
    """
    source = random.Random(seed)
    lengths = conll_lengths(count)
    source.shuffle(lengths)
    for length in lengths:
        start = source.randrange(len(stream) - length)
        words, tags = zip(*stream[start : start + length], strict=True)
        first = "B" + tags[0][1:] if tags[0].startswith("I-") else tags[0]
        yield list(words), [first, *tags[1:]]


def shipped_stream(folder: Path = SHIPPED) -> list[tuple[str, str]]:
    """All words of the shipped corpus with their tags, in order."""
    pairs = []
    for name in ("train", "validation", "test"):
        for line in (folder / f"{name}.conll").read_text(encoding="utf-8").splitlines():
            if line and not line.startswith(("#", "-DOCSTART-")):
                word, tag = line.split("\t")
                pairs.append((word, tag))
    return pairs


def write_prepared(folder: Path, train: int) -> Path:
    """A prepared folder as preprocess writes it: ``train`` sentences of CoNLL's lengths, a few for the other splits."""
    folder.mkdir(parents=True, exist_ok=True)
    stream = shipped_stream()
    for seed, (split, count) in enumerate({"train": train, "validation": 32, "test": 32}.items(), start=1):
        with (folder / f"{split}.jsonl").open("w", encoding="utf-8", newline="\n") as file:
            for number, (words, tags) in enumerate(sentences(count, stream, seed)):
                row = {"id": f"{split}:{number}", "document": None, "inputs": {"words": words}, "target": tags}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
    labels = sorted({tag[2:] for _, tag in stream if tag != "O"})
    (folder / "labels.json").write_text(json.dumps(labels) + "\n", encoding="utf-8")
    return folder


def write_conll(path: Path, count: int) -> Path:
    """A raw two-column file of ``count`` sentences of CoNLL's lengths; bounded in memory but for the lengths."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for words, tags in sentences(count, shipped_stream()):
            file.write("".join(f"{word}\t{tag}\n" for word, tag in zip(words, tags, strict=True)) + "\n")
    return path
