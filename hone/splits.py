"""Which file of a dataset belongs to which split, guessed from its name, and the params that say so."""

import json
import re
from pathlib import Path

NAMES = {
    "train": {"train", "training", "trn", "trainset"},
    "validation": {"validation", "valid", "val", "dev", "devel", "development", "testa", "devset"},
    "test": {"test", "testing", "tst", "testb", "testset"},
}
ENDINGS = {  # of data, as tasks/sources knows them
    *(".conll", ".conllu", ".conll03", ".txt", ".tsv", ".bio", ".iob", ".iob2"),
    *(".jsonl", ".ndjson", ".jsonlines", ".csv", ".json", ".parquet"),
}
NOT_DATA = re.compile(r"(readme|licen[cs]e|notice|source|card|changelog|\.)", re.IGNORECASE)


def data_files(folder: Path) -> list[str]:
    """All files below a folder, relative with ``/``, sorted."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def guess(files: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    """The files of each split by the words in their names, and the files of none.

    The file's own name counts before those of its folders. A dataset in which no name tells of train gives all its
    unnamed data files to train.
    """
    splits: dict[str, list[str]] = {split: [] for split in NAMES}
    unnamed: list[str] = []
    for file in files:
        split = _split(file)
        (splits[split] if split else unnamed).append(file)
    if not splits["train"]:
        splits["train"] = [file for file in unnamed if _is_data(file)]
        unnamed = [file for file in unnamed if file not in splits["train"]]
    return splits, unnamed


def params_block(dataset: str, splits: dict[str, list[str]], options: dict[str, str]) -> list[str]:
    """Lines for params.yaml; ``options`` are values for the block of the task token_classification."""
    lines = [f"dataset: {_yaml(dataset)}", "splits:"]
    lines += [f"  {split}: [{', '.join(map(_yaml, files))}]" for split, files in splits.items()]
    if options:
        lines += ["token_classification:", *(f"  {key}: {_yaml(value)}" for key, value in options.items())]
    cut = [split for split in ("validation", "test") if not splits[split]]
    return [*lines, "", *([f"{' and '.join(cut)}: [] is cut from train by the seed"] if cut else [])]


def _split(file: str) -> str | None:
    if not _is_data(file):
        return None
    for part in reversed(file.split("/")):
        words = re.findall(r"[a-z]+", part.lower())
        for split, names in NAMES.items():
            if names & set(words):
                return split
    return None


def _is_data(file: str) -> bool:
    name = file.rsplit("/", 1)[-1].removesuffix(".gz")
    # CoNLL-2003 comes as eng.train, eng.testa, eng.testb, others as plain train, dev, test
    ending = Path(name).suffix.lower() or name.lower()
    return (ending in ENDINGS or ending.lstrip(".") in set().union(*NAMES.values())) and not NOT_DATA.match(name)


def _yaml(text: str) -> str:
    """A string as YAML reads it back: plain where that is safe, else in double quotes."""
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_./-]*", text) and text.lower() not in {
        *("true", "false", "null", "yes", "no", "on", "off", "y", "n")
    }
    return text if plain else json.dumps(text, ensure_ascii=False)
