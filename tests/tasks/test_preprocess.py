"""The stage from raw files to prepared examples: nothing is lost, and the same input gives the same bytes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tasks import adapters, params_file, records
from tasks.errors import Defect, UserError
from tasks.preprocess import SPLITS, preprocess
from tasks.tagging import TokenClassification
from tasks.yaml_files import read_yaml

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
FILES = {"train": ["train.conll"], "validation": ["dev.conll"], "test": ["test.conll"]}
OPTIONS: dict[str, Any] = {
    "format": "auto",
    "token_column": 0,
    "tag_column": -1,
    "token_field": "tokens",
    "tag_field": "tags",
    "text_field": "text",
    "spans_field": "auto",
    "context": "none",
    "scheme": "auto",
}


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A dataset of five, two and one sentences."""
    folder = tmp_path / "raw" / "toy"
    folder.mkdir(parents=True)
    (folder / "train.conll").write_text(
        "Angela\tB-PER\nMerkel\tI-PER\nin\tO\nGraz\tB-LOC\n\nhi\tO\n\t\nHi\tO\n\nToyota\tI-ORG\n\nhi\tO\n"
    )
    (folder / "dev.conll").write_text("Wien\tB-LOC\n\nhi\tO\n")
    (folder / "test.conll").write_text("Opel\tB-ORG\nAstra\tB-MISC\n")
    return folder


def prepare(raw: Path, splits: dict[str, list[str]] = FILES, **changes: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "adapter": adapters.find("token_classification"),
        "options": TokenClassification(**{**OPTIONS, **changes.pop("options", {})}),
        "dataset": raw.name,
        "splits": {"validation": [], "test": [], **splits},
        "seed": 1,
        "on_defect": "stop",
        "fractions": {"validation": 0.2, "test": 0.2},
    }
    return preprocess(raw, raw.parents[1] / "prepared", **{**arguments, **changes})


def written(raw: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((raw.parents[1] / "prepared").iterdir())}


def test_examples_labels_and_summary(raw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = prepare(raw)
    out = raw.parents[1] / "prepared"
    train = list(records.read_examples(out / "train.jsonl"))
    assert train[0] == records.Example(
        "train.conll:1",
        None,
        {"words": ["Angela", "Merkel", "in", "Graz"]},
        ["B-PER", "I-PER", "O", "B-LOC"],
    )
    assert [example.id for example in train[1:]] == [f"train.conll:{line}" for line in (6, 8, 10, 12)]
    assert set(written(raw)) == {"labels.json", "summary.json", *(f"{split}.jsonl" for split in SPLITS)}
    assert json.loads(written(raw)["labels.json"]) == ["LOC", "ORG", "PER"]
    assert json.loads(written(raw)["summary.json"]) == found
    assert found["found"] == {"columns": dict.fromkeys(("train.conll", "dev.conll", "test.conll"), 2), "scheme": "IOB2"}
    assert found["formats"] == dict.fromkeys(("train.conll", "dev.conll", "test.conll"), "conll")
    assert found["splits"]["train"] == {
        "documents": 0,
        "entities": {"PER": 1, "LOC": 1, "ORG": 1},
        "gold": {"raw": 3, "refused": 0, "written": 3},
        "lengths": {"median": 1, "90th": 4, "maximum": 4},
        "refused": [],
        "repairs": {"I- after O or another type became B-": 1},
        "sentences": 5,
        "words": 8,
    }
    assert found["labels_missing"] == {
        "train": ["MISC"],
        "validation": ["MISC", "ORG", "PER"],
        "test": ["LOC", "PER"],
    }
    assert found["duplicates"]["train"] == {"count": 1, "places": [["train.conll:12", "train.conll:6"]]}
    assert found["duplicates"]["train/validation"] == {"count": 1, "places": [["dev.conll:3", "train.conll:6"]]}
    assert capsys.readouterr().err.splitlines() == [
        "train: 5 sentences, 8 words, 3 entities, 1 tags repaired; 1 repeated",
        "validation: 2 sentences, 2 words, 1 entities; 1 also in train",
        "test: 1 sentences, 2 words, 2 entities; not in train: MISC",
    ]


def test_the_same_input_gives_the_same_bytes_also_with_crlf_and_bom(raw: Path) -> None:
    prepare(raw, {"train": ["train.conll"]})
    first = written(raw)
    (raw.parents[1] / "prepared" / "stale.jsonl").touch()
    train = raw / "train.conll"
    train.write_bytes(b"\xef\xbb\xbf" + train.read_bytes().replace(b"\n", b"\r\n"))
    prepare(raw, {"train": ["train.conll"]})
    assert written(raw) == first
    assert all(content.endswith(b"\n") and b"\r" not in content for content in first.values())
    assert str(raw).encode() not in b"".join(first.values())


def test_missing_splits_are_cut_from_train_by_seed(raw: Path) -> None:
    (raw / "train.conll").write_text("".join(f"w{number}\tB-X\n\n" for number in range(50)))
    found = prepare(raw, {"train": ["train.conll"]}, fractions={"validation": 0.1, "test": 0.25})
    assert [found["splits"][split]["sentences"] for split in SPLITS] == [32, 5, 13]
    assert found["cut_from_train"] == ["validation", "test"]
    first = written(raw)
    prepare(raw, {"train": ["train.conll"]}, fractions={"validation": 0.1, "test": 0.25}, seed=2)
    assert written(raw)["test.jsonl"] != first["test.jsonl"]
    lines = b"".join(first[f"{split}.jsonl"] for split in SPLITS).splitlines()
    assert len(set(lines)) == 50
    for split in SPLITS:
        numbers = [json.loads(line)["id"].partition(":")[2] for line in first[f"{split}.jsonl"].splitlines()]
        assert numbers == sorted(numbers, key=int)


def test_documents_are_not_divided_and_named_files_stay(raw: Path) -> None:
    (raw / "train.conll").write_text(
        "".join(f"-DOCSTART-\tO\n\na{number}\tB-X\n\nb\tO\n\nc\tO\n\n" for number in range(10))
    )
    found = prepare(raw, {"train": ["train.conll"], "test": ["test.conll"]}, fractions={"validation": 0.1, "test": 0.1})
    assert [found["splits"][split]["sentences"] for split in SPLITS] == [27, 3, 1]
    assert [found["splits"][split]["documents"] for split in SPLITS] == [9, 1, 0]


BROKEN = {
    "undecodable bytes": (b"M\xfcnchen\tB-LOC\nx\tB-LOC\n", "byte 0xfc at position 2 is not UTF-8", 2),
    "broken columns": (b"a\tNN\tB-LOC\nx\tB-LOC\n", "3 columns ('a NN B-LOC') where most words of the file have 2", 2),
    "unknown prefix": (b"a\tX-LOC\n", "tag 'X-LOC' of word 'a' is none of IOB2", 1),
}


@pytest.mark.parametrize("kind", sorted(BROKEN))
def test_a_broken_row_stops_or_is_left_out_and_listed(raw: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    content, message, gold = BROKEN[kind]
    train = raw / "train.conll"
    train.write_bytes(content + b"\n" + train.read_bytes())
    with pytest.raises(Defect) as caught:
        prepare(raw)
    assert str(caught.value).startswith(f"train.conll:1: {message}")
    own = prepare(raw, on_defect="skip")["splits"]["train"]
    assert own["refused"] == [
        {"place": "train.conll:1", "kind": kind, "message": caught.value.message, "entities": gold}
    ]
    assert own["gold"] == {"raw": 3 + gold, "refused": gold, "written": 3}
    assert own["sentences"] == 5
    assert f"1 rows refused with {gold} entities" in capsys.readouterr().err


def test_spans_outside_the_text_stop_or_are_listed(raw: Path) -> None:
    lines = [
        {"text": "Angela Merkel", "spans": [{"start": 0, "end": 13, "label": "PER"}], "document": "a"},
        {"text": "Graz", "spans": [{"start": 0, "end": 4, "label": "LOC"}, {"start": 3, "end": 9, "label": "LOC"}]},
    ]
    (raw / "train.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\nnot json\n")
    splits = {**FILES, "train": ["train.jsonl"]}
    with pytest.raises(
        Defect, match=r"^train\.jsonl:2: span 3 to 9 \(LOC\) lies outside the text of 4 characters; mend"
    ):
        prepare(raw, splits)
    own = prepare(raw, splits, on_defect="skip")["splits"]["train"]
    assert [(row["place"], row["kind"], row["entities"]) for row in own["refused"]] == [
        ("train.jsonl:2", "span outside the text", 2),
        ("train.jsonl:3", "not JSON", 0),
    ]
    assert (own["documents"], own["entities"]) == (1, {"PER": 1})


@pytest.mark.parametrize("on_defect", ["stop", "skip"])
def test_an_empty_split_always_stops(raw: Path, on_defect: str) -> None:
    (raw / "test.conll").write_text("\n\t\n")
    with pytest.raises(UserError, match=r"^params\.yaml: splits\.test: no example in test\.conll; name a file"):
        prepare(raw, on_defect=on_defect)
    (raw / "train.conll").write_text("")
    with pytest.raises(UserError, match=r"^params\.yaml: splits\.train: no example in train\.conll; name a file"):
        prepare(raw, {"train": ["train.conll"]}, on_defect=on_defect)
    (raw / "train.conll").write_text("a\tB-X\n")
    (raw / "test.conll").write_text("a\tX-Y\n")
    with pytest.raises(UserError, match=r"test\.conll \(1 rows were refused\)|^test\.conll:1: tag 'X-Y'"):
        prepare(raw, on_defect=on_defect)


@pytest.mark.parametrize(("field", "documents"), [("document", {None}), ("text", {"d0", "d1", "d2"})])
def test_a_field_that_is_read_as_the_text_names_no_document(tmp_path: Path, field: str, documents: set[Any]) -> None:
    raw = tmp_path / "raw" / "toy"
    raw.mkdir(parents=True)
    rows = [{"document": f"d{number}", "text": "t", "summary": f"s{number}"} for number in range(3)]
    (raw / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    adapter = adapters.find("summarization")
    values = read_yaml(ROOT / "params.yaml")["summarization"] | {"source_field": field, "target_field": "summary"}
    own = params_file.check(adapter.options, values, Path("params.yaml"))
    preprocess(
        raw,
        tmp_path / "prepared",
        adapter=adapter,
        options=own,
        dataset="toy",
        splits={split: ["train.jsonl"] if split == "train" else [] for split in SPLITS},
        seed=1,
        on_defect="stop",
        fractions={"validation": 0.4, "test": 0.4},
    )
    made = [one for split in SPLITS for one in records.read_examples(tmp_path / "prepared" / f"{split}.jsonl")]
    assert {one.document for one in made} == documents


def test_a_train_without_labels_stops(raw: Path) -> None:
    (raw / "train.conll").write_text("a\tO\n")
    with pytest.raises(UserError, match=r"^params\.yaml: splits\.train: no label in the 1 examples of train\.conll"):
        prepare(raw)


def test_gold_that_parse_loses_stops(raw: Path) -> None:
    import dataclasses

    adapter = adapters.find("token_classification")

    def forgetful(*arguments: Any) -> records.Example:
        example = adapter.parse(*arguments)
        return dataclasses.replace(example, target=["O", *example.target[1:]])

    with pytest.raises(
        UserError, match=r"^train: 3 gold entities are in the raw files, but 1 were written and 0 refused"
    ):
        prepare(raw, adapter=dataclasses.replace(adapter, parse=forgetful))


def test_rows_are_written_while_they_are_read(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stage never asks for a row before the last one is done with."""
    events: list[str] = []
    adapter = adapters.find("token_classification")
    (raw / "train.conll").write_text("a\tB-X\n\n" * 50)

    def reading(*arguments: Any) -> Any:
        from tasks.sources.conll import read

        for row in read(*arguments):
            events.append("read")
            yield row

    def writing(example: records.Example) -> str:
        events.append("write")
        return records.example_line(example)

    monkeypatch.setattr("tasks.preprocess.reader", lambda _: reading)
    monkeypatch.setattr("tasks.preprocess.example_line", writing)
    prepare(raw, adapter=adapter)
    second = events[53:]
    assert second == ["read", "write"] * 53


@pytest.mark.parametrize(
    ("folder", "splits", "counts"),
    [
        ("ner/wnut17", {"train": ["train.conll"], "test": ["dev.conll"]}, {"train": (3394, 1975), "test": (1009, 836)}),
        (
            "ner/crossner/politics",
            {"train": ["train.txt"], "validation": ["dev.txt"], "test": ["test.txt"]},
            {"train": (200, 1304), "validation": (541, 3482), "test": (651, 4209)},
        ),
        (
            "ner/crossner/science",
            {"train": ["train.txt"], "validation": ["dev.txt"], "test": ["test.txt"]},
            {"train": (200, 1075), "validation": (450, 2538), "test": (543, 3089)},
        ),
    ],
)
def test_published_counts_of_real_data(
    tmp_path: Path, folder: str, splits: dict[str, list[str]], counts: dict[str, tuple[int, int]]
) -> None:
    if not (DATA / folder).is_dir():
        pytest.skip(f"{folder} is kept beside the project and is not here")
    raw = tmp_path / "raw" / "real"
    raw.mkdir(parents=True)
    for name in [name for names in splits.values() for name in names]:
        (raw / name).write_bytes((DATA / folder / name).read_bytes())
    found = prepare(raw, splits, fractions={"validation": 0.1, "test": 0.1})["splits"]
    if "validation" not in splits:
        assert found["validation"]["sentences"] == 339
        counts = {**counts, "train": (3394 - 339, 1975 - found["validation"]["gold"]["raw"])}
    for split, (sentences, entities) in counts.items():
        assert (found[split]["sentences"], sum(found[split]["entities"].values())) == (sentences, entities)
        assert found[split]["gold"] == {"raw": entities, "refused": 0, "written": entities}
        assert found[split]["repairs"] == {}


def test_the_command_writes_the_same_whatever_the_hash_seed_and_errors_are_one_line(raw: Path, tmp_path: Path) -> None:
    params = (ROOT / "params.yaml").read_text().split("\n")
    at = [number for number, line in enumerate(params) if line.startswith(("dataset:", "splits:", "seed:"))]
    params[at[0] : at[2]] = ["dataset: toy", "splits: {train: [train.conll], validation: [], test: []}"]
    (tmp_path / "params.yaml").write_text("\n".join(params))
    command = [
        sys.executable,
        "-m",
        "tasks.preprocess",
        "--raw",
        "raw/toy",
        "--prepared",
        "prepared",
        "--cost",
        "c.json",
    ]

    def run(seed: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert run("1").returncode == 0
    first = written(raw)
    assert run("2").returncode == 0
    assert written(raw) == first
    (raw / "train.conll").write_text("a\tX-Y\n\nb\tO\n\nc\tB-Y\n")
    failed = run("1")
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: train.conll:1: tag 'X-Y' of word 'a' is none of IOB2")
    assert "Traceback" not in failed.stderr
