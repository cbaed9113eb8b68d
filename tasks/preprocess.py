"""Raw files to examples in one form, checked, counted and split.

Writes train.jsonl, validation.jsonl and test.jsonl, labels.json (the labels of train) and summary.json (what was
found, repaired and refused) into the folder of prepared examples, which is cleared first. Two passes over the raw
files, one to recognise their form and one to write; they hold one row in memory and some 40 bytes for each gone by.
"""

import contextlib
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tasks import adapters, params_file, rawfiles
from tasks.adapters import Adapter
from tasks.duplicates import Duplicates
from tasks.errors import Defect, UserError
from tasks.near_duplicates import EQUAL, NEAR, near_duplicates
from tasks.progress import progress
from tasks.rawfiles import RawFile
from tasks.records import Row, example_line, read_examples, write_examples, write_json
from tasks.sources import Item, Unreadable, reader
from tasks.splitting import Cut
from tasks.stage import argument_parser, run_stage, say
from tasks.summary import Tally, line

SPLITS = ("train", "validation", "test")
LONGEST = 1_000_000  # characters of one example as JSON; more is a file that was not read as it is meant


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--raw", type=Path, required=True, help="folder of the dataset")
    parser.add_argument("--prepared", type=Path, required=True, help="folder that gets the examples; cleared first")
    parser.add_argument("--cost", type=Path, required=True, help="JSON of time and memory, written; not an out")
    paths = parser.parse_args()

    def work() -> dict[str, Any]:
        file = Path("params.yaml")
        settings = params_file.load(file)
        adapter = adapters.find(settings.task)
        preprocess(
            paths.raw,
            paths.prepared,
            adapter=adapter,
            options=params_file.check(adapter.options, settings.options, file, prefix=f"{settings.task}."),
            dataset=settings.dataset,
            splits=settings.splits.model_dump(),
            seed=settings.seed,
            on_defect=settings.preprocess.on_defect,
            fractions={
                "validation": settings.preprocess.validation_fraction,
                "test": settings.preprocess.test_fraction,
            },
        )
        return {}

    run_stage("preprocess", work, paths.cost)


def preprocess(
    raw: Path,
    prepared: Path,
    *,
    adapter: Adapter,
    options: Any,
    dataset: str,
    splits: dict[str, list[str]],
    seed: int,
    on_defect: str,
    fractions: dict[str, float],
) -> dict[str, Any]:
    """Bring the raw files of a dataset to examples; return what stands in summary.json.

    Args:
        raw: the dataset's folder, whose end is ``dataset``.
        prepared: folder that is cleared and gets the examples.
        adapter: the kind of problem.
        options: the adapter's block of params.yaml, checked.
        dataset: the name in params.yaml.
        splits: names of files in ``raw`` by split; an empty list for validation or test cuts it from train.
        seed: of the cut.
        on_defect: ``stop`` raises the first defect, ``skip`` leaves the row out and lists it.
        fractions: share of train that a cut split gets.

    Raises:
        Defect: a row that cannot be used, with ``on_defect: stop``.
        UserError: a missing folder or file, one outside the dataset, an empty split, or gold that got lost.
    """
    files = rawfiles.find(raw, dataset, {split: splits[split] for split in SPLITS})
    formats = {file.name: adapter.source(file.name, options) for file in files}
    facts, cut, total = survey(files, formats, adapter, options)
    cut_splits = [split for split in SPLITS[1:] if not splits[split]]
    if cut_splits:
        cut.draw([fractions[split] for split in cut_splits], seed)
    rawfiles.clear(prepared, raw)
    tallies = {split: Tally() for split in SPLITS}
    duplicates = Duplicates(SPLITS)
    row_of_train = itertools.count()
    with contextlib.ExitStack() as stack:
        outs = {
            split: stack.enter_context((prepared / f"{split}.jsonl").open("w", encoding="utf-8", newline="\n"))
            for split in SPLITS
        }
        items = ((file, item) for file in files for item in _items(file, formats, options))
        for file, item in progress(items, total, "prepare"):
            split = file.split
            if split == "train" and cut_splits:
                split = ("train", *cut_splits)[cut.split_of(next(row_of_train))]
            tally = tallies[split]
            row = _row(item)
            gold = adapter.raw_items(row, options, facts) if row is not None else 0
            tally.raw += gold
            try:
                if isinstance(item, Unreadable):
                    item.entities = gold
                    raise item
                example = adapter.parse(item, options, facts, tally.repairs)
                text = example_line(example)
                if len(text) > LONGEST:
                    raise _too_long(item, len(text), gold)
            except Defect as defect:
                if on_defect == "stop":
                    raise
                tally.refuse(defect)
                continue
            outs[split].write(text)
            tally.add(example, adapter.items(example.target))
            duplicates.add(split, example)
    if adapter.complete is not None:
        for split in SPLITS[1:]:
            written = prepared / f"{split}.jsonl"
            write_examples(written, adapter.complete(list(read_examples(written)), options))
    for split, tally in tallies.items():
        _check_filled(split, tally, splits)
        tally.balance(split)
    labels = sorted(tallies["train"].entities)
    repeated = duplicates.summary()
    near = _near(prepared)
    every = sorted(set().union(*(tally.entities for tally in tallies.values())))
    findings = {
        "cut_from_train": cut_splits,
        "dataset": dataset,
        "duplicates": repeated,
        "formats": formats,
        "found": facts,
        "labels": every,
        "labels_missing": {
            split: [name for name in every if not tally.entities[name]] for split, tally in tallies.items()
        },
        "near_duplicates": near,
        "splits": {split: tally.summary() for split, tally in tallies.items()},
    }
    write_json(prepared / "labels.json", labels)
    write_json(prepared / "summary.json", findings)
    for split, tally in tallies.items():
        notes = _notes(split, sorted(set(tally.entities) - set(labels)), repeated)
        if near.get(f"train/{split}"):
            notes += f"; {near[f'train/{split}']} nearly in train"
        said = line(split, tally, split in cut_splits, adapter.wording.examples, adapter.wording.items)
        say(said + notes)
    return findings


def _near(prepared: Path) -> dict[str, int]:
    """How many texts of validation and test nearly stand in train; empty for tasks whose inputs are no running text."""
    found = {}
    for split in SPLITS[1:]:
        texts = [one.inputs["text"] for one in read_examples(prepared / f"{split}.jsonl") if "text" in one.inputs]
        if texts:
            train = (one.inputs["text"] for one in read_examples(prepared / "train.jsonl"))
            kinds = Counter(near_duplicates(texts, train))
            found[f"train/{split}"] = kinds[NEAR] + kinds[EQUAL]
    return found


def survey(
    files: list[RawFile], formats: dict[str, str], adapter: Adapter, options: Any
) -> tuple[dict[str, Any], Cut, int]:
    """The first pass: the adapter's facts of the whole data, the rows of train for a cut, the number of all rows."""
    cut = Cut()
    total = 0

    def rows() -> Iterator[Row]:
        nonlocal total
        for file in files:
            lines = None if formats[file.name] in ("json", "parquet", "part") else rawfiles.count_lines(file.path)
            items = _items(file, formats, options)
            for item in progress(items, lines, f"read {file.name}", position=_line_of):
                total += 1
                row = _row(item)
                if file.split == "train":
                    cut.add(row.document if row is not None else None)
                if row is not None:
                    yield row

    stream = rows()
    facts = adapter.survey(stream, options)
    for _ in stream:  # an adapter may need to see no row, the cut needs them all
        pass
    return facts, cut, total


def _items(file: RawFile, formats: dict[str, str], options: Any) -> Iterator[Item]:
    """The rows of a file. A field ``document`` that params read as text or label names no document."""
    items = reader(formats[file.name])(file.path, file.name)
    fields = [value for key, value in options.model_dump().items() if key.endswith("_field")]
    if not any(str(field).split(".")[0] == "document" for field in fields):
        yield from items
        return
    for item in items:
        if isinstance(item, Row):
            yield replace(item, document=None)
        else:
            if item.remains is not None:
                item.remains = replace(item.remains, document=None)
            yield item


def _row(item: Item) -> Row | None:
    return item.remains if isinstance(item, Unreadable) else item


def _too_long(row: Row, length: int, gold: int) -> Defect:
    message = f"an example of {length:,} characters, more than the {LONGEST:,} that one may have"
    return Defect("too long", row.place, message, "split it (a blank line, a quote or a tag that is missing?)", gold)


def _line_of(item: Item) -> int:
    return int(item.place.rpartition(":")[2])


def _check_filled(split: str, tally: Tally, splits: dict[str, list[str]]) -> None:
    """An empty split always stops; so does a train without a label, from which nothing can be learned."""
    where = ", ".join(splits[split]) or f"what is cut from {', '.join(splits['train'])}"
    if not tally.sentences:
        refused = f" ({len(tally.refused)} rows were refused)" if tally.refused else ""
        raise UserError(f"params.yaml: splits.{split}: no example in {where}{refused}; name a file that holds some")
    if split == "train" and not tally.entities:
        raise UserError(
            f"params.yaml: splits.train: no label in the {tally.sentences} examples of {where}; "
            "is it the right file, and is the right column or field read?"
        )


def _notes(split: str, unseen: list[str], duplicates: dict[str, Any]) -> str:
    """What a split's line says besides counts: labels that train lacks, and examples that stand elsewhere too."""
    notes = [f"; not in train: {', '.join(unseen)}"] if unseen else []
    for pair, found in duplicates.items():
        earlier, _, later = pair.partition("/")
        if found["count"] and (later or earlier) == split:
            notes.append(f"; {found['count']} {f'also in {earlier}' if later else 'repeated'}")
    return "".join(notes)


if __name__ == "__main__":
    main()
