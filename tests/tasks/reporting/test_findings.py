"""What preprocess writes is what the report reads, and says in sentences."""

from pathlib import Path

import pytest

from tasks import adapters, params_file
from tasks.preprocess import preprocess
from tasks.reporting.findings import Change, Findings, read_findings

RUN = Path(__file__).parent / "fixtures/run"


@pytest.fixture(scope="module")
def findings() -> Findings:
    return read_findings(RUN / "prepared/summary.json", "sentence", show_text=True)


def test_gold_is_accounted_for(findings: Findings) -> None:
    assert [split.name for split in findings.splits] == ["train", "validation", "test"]
    train = findings.splits[0]
    assert (train.raw, train.refused, train.written) == (5, 2, 3)
    assert sum(train.entities.values()) == train.written


def test_what_was_refused_and_repaired_is_counted_by_kind(findings: Findings) -> None:
    assert findings.changes == (
        Change("train", "refused", "broken columns", 2, 2),
        Change("train", "repaired", "I- after O or another type became B-", 1, 0),
    )
    assert [row.place for row in findings.refused] == ["train.conll:19", "train.conll:22"]
    assert "'lonely'" in findings.refused[0].message


def test_messages_quote_the_data_and_go_where_no_text_may_be_shown() -> None:
    closed = read_findings(RUN / "prepared/summary.json", "sentence", show_text=False)
    assert [row.message for row in closed.refused] == ["", ""]


def test_the_notes_name_what_a_reader_must_know(findings: Findings) -> None:
    assert findings.notes == (
        "1 sentence of train repeats an earlier one (train.conll:7 as train.conll:4).",
        "1 sentence of test stands in train too (test.conll:17 as train.conll:4), which flatters the score.",
        "1 sentence of validation stands in train too (validation.conll:57 as train.conll:4), "
        "which flatters the score.",
        "3 sentences of test stand in validation too (test.conll:1 as validation.conll:1; "
        "test.conll:11 as validation.conll:60; test.conll:17 as validation.conll:57).",
        "1 sentence of test nearly stands in train (four words of five are the same).",
        "train holds no MISC: nothing there teaches it.",
        "test holds no MISC: nothing there measures it.",
    )


def test_preprocess_writes_what_is_read_here(tmp_path: Path) -> None:
    raw = tmp_path / "clean"
    raw.mkdir()
    for number in range(4):
        (raw / f"{number}.conll").write_text(f"Dagny B-PER\nrings O\nfor O\n{number} O\n")
    adapter = adapters.find("token_classification")
    settings = params_file.load(Path(__file__).parents[3] / "params.yaml")
    preprocess(
        raw,
        tmp_path / "prepared",
        adapter=adapter,
        options=params_file.check(adapter.options, settings.options, Path("params.yaml")),
        dataset="clean",
        splits={"train": ["0.conll", "1.conll"], "validation": ["2.conll"], "test": []},
        seed=1,
        on_defect="stop",
        fractions={"validation": 0.5, "test": 0.5},
    )
    found = read_findings(tmp_path / "prepared/summary.json", "sentence", show_text=True)
    assert [split.sentences for split in found.splits] == [1, 1, 1]
    assert (found.changes, found.refused) == ((), ())
    assert found.notes == (
        "Cut from train by seed: test.",
        "No sentence is repeated, within a split or across splits.",
        "Every label occurs in every split.",
    )
