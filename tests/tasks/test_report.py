"""The stage: three files, the same bytes every time, no text where none may be shown, no torch."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tasks import params, params_file, records, yaml_files
from tasks.errors import UserError
from tasks.report import report
from tasks.reporting.naming import OWN_WORDS

ROOT = Path(__file__).parents[2]
RUN = ROOT / "tests/tasks/reporting/fixtures/run"
RAW = ROOT / "data/raw/hone-ner"


def settings(*, worst_mistakes: int = 40, show_text: bool = True) -> params.Params:
    shown = params.Report(worst_mistakes=worst_mistakes, show_text=show_text, license="apache-2.0")
    return params_file.load(ROOT / "params.yaml").model_copy(
        update={"task": "token_classification", "dataset": "tiny", "report": shown}
    )


PAGES = ["model_card.md", "report.html", "report.md"]
RARE = re.compile(r"zq\w*zq")


def rare(value: Any, kept: frozenset[str] = frozenset()) -> Any:
    """The value with every string, and every name in it, replaced by a rare one; those under ``kept`` stay."""
    if isinstance(value, dict):
        return {name: own if name in kept else rare(own, kept) for name, own in value.items()}
    if isinstance(value, list):
        return [rare(own, kept) for own in value]
    return f"zq{value.replace(' ', '_')}zq" if isinstance(value, str) else value


def secret_run(folder: Path) -> Path:
    """The finished run with every text of the data replaced by one that no page would hold."""
    shutil.copytree(RUN, folder)
    prepared = folder / "prepared"
    for split in ("train", "validation", "test"):
        examples = [
            records.Example(example.id, "zqdocumentzq", rare(example.inputs), example.target)
            for example in records.read_examples(RUN / f"prepared/{split}.jsonl")
        ]
        records.write_examples(prepared / f"{split}.jsonl", examples)
    summary = records.read_json(prepared / "summary.json")
    for row in summary["splits"]["train"]["refused"]:
        row["message"] = "1 columns ('zqmessagezq') where most words of the file have 2"
    records.write_json(prepared / "summary.json", summary)
    labels = OWN_WORDS | {"id", "predicted_type", "runner_up", "gold", "predicted", "dimension"}
    for name in ("mistakes.validation.jsonl", "suspects.jsonl"):
        lines = [rare(line, labels) for line in records.read_lines(RUN / name)]
        for line in lines:
            line["train"] = [own | {"type": "ORG"} for own in line["train"]] if "kind" in line else {"ORG": 2}
        (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    focus = records.read_json(RUN / "focus.json")
    focus["entries"] = [
        rare(entry, labels) if entry["dimension"] == "document" else entry for entry in focus["entries"]
    ]
    records.write_json(folder / "focus.json", focus)
    return folder


def secret_raw(folder: Path) -> Path:
    """A folder of raw data whose card quotes a sentence."""
    folder.mkdir()
    (folder / "README.md").write_text("# Letters\n\n## Use\nReading, as in: zqquotedzq rings.\n")
    return folder


def test_three_files_with_the_same_bytes_every_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        report(settings(), RAW, RUN, tmp_path / name)
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == PAGES
    for name in PAGES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_no_text_of_the_data_where_none_may_be_shown(tmp_path: Path) -> None:
    data, raw = secret_run(tmp_path / "data"), secret_raw(tmp_path / "raw")
    planted = {}
    for name, show_text in (("open", True), ("closed", False)):
        report(settings(show_text=show_text), raw, data, tmp_path / name)
        planted[name] = {page: set(RARE.findall((tmp_path / name / page).read_text())) for page in PAGES}
    assert planted["closed"] == {page: set() for page in PAGES}
    # The words are really there to be found: sentence, train's sentence, suspect, document, message, data card.
    assert {"zqQuenbyzq", "zqNordhaven_Council_metzq", "zqNordhaven_Councilzq", "zqprize_nightzq", "zqmessagezq"} <= (
        planted["open"]["report.html"]
    )
    assert {"zqQuenbyzq", "zqprize_nightzq"} <= planted["open"]["report.md"]
    assert planted["open"]["model_card.md"] == {"zqquotedzq"}
    page = (tmp_path / "closed/report.html").read_text()
    assert "validation.conll:66" in page  # the place of a mistake is no text
    assert "train.conll:19" in page
    assert "report.show_text" in page


def test_files_that_hold_text_reach_neither_prefect_nor_plots() -> None:
    """A flow run shows the metrics of dvc.yaml and report.md, `dvc plots` draws the files of its plots block."""
    pipeline = yaml_files.read_yaml(ROOT / "dvc.yaml")
    metrics = {next(iter(own)) for stage in pipeline["stages"].values() for own in stage.get("metrics", [])}
    drawn = json.dumps(pipeline["plots"])
    assert {"data/metrics.validation.json", "data/metrics.test.json"} <= metrics
    for name in ("focus.json", "mistakes.validation.jsonl", "suspects.jsonl", "predictions.validation.jsonl"):
        assert f"data/{name}" not in metrics
        assert name not in drawn


def test_no_time_and_no_place_of_this_machine(tmp_path: Path) -> None:
    report(settings(), RAW, RUN, tmp_path / "report")
    for name in PAGES:
        text = (tmp_path / "report" / name).read_text()
        assert str(ROOT) not in text
        assert str(tmp_path) not in text
        assert not re.search(r"20\d\d-\d\d-\d\d|\d\d:\d\d:\d\d|\d seconds", text)


def test_a_large_run_makes_a_page_that_can_be_sent(tmp_path: Path) -> None:
    """3,500 sentences with 1,500 errors, of which the page holds what `report.worst_mistakes` says."""
    data = large_run(tmp_path / "data", sentences=3500, errors=1500)
    report(settings(worst_mistakes=300), RAW, data, tmp_path / "report")
    page = (tmp_path / "report/report.html").read_bytes()
    assert 300_000 < len(page) < 2_000_000
    assert b"1,500 of 3,500 sentences" in page
    assert (tmp_path / "report/report.md").stat().st_size < 65_536  # the longest comment that GitHub takes


def large_run(folder: Path, *, sentences: int, errors: int) -> Path:
    """The finished run with many sentences of 25 words, the first ``errors`` of them wrong."""
    shutil.copytree(RUN, folder)
    gold = ["B-PER", *["O"] * 23, "B-LOC"]
    wrong = ["B-ORG", *gold[1:]]
    line = next(records.read_lines(RUN / "mistakes.validation.jsonl"))
    twins = [{"id": f"train.conll:{n}", "text": "of words there are many " * 5, "type": "PER"} for n in range(3)]
    places = [f"validation.conll:{number}" for number in range(sentences)]
    examples = [records.Example(place, None, {"words": ["wordlike"] * 25}, gold) for place in places]
    predicted = [wrong if number < errors else gold for number in range(sentences)]
    records.write_examples(folder / "prepared/validation.jsonl", examples)
    records.write_predictions(
        folder / "predictions.validation.jsonl",
        (records.Prediction(place, gold, tags, [0.9] * 25) for place, tags in zip(places, predicted, strict=True)),
    )
    lines = [line | {"id": place, "train": twins} for place in places[:errors]]
    (folder / "mistakes.validation.jsonl").write_text("".join(json.dumps(own) + "\n" for own in lines))
    return folder


def test_no_mistakes_where_none_are_asked_for(tmp_path: Path) -> None:
    report(settings(worst_mistakes=0), RAW, RUN, tmp_path)
    for name in ("report.html", "report.md"):
        text = (tmp_path / name).read_text()
        assert "6 of 10 sentences" in text
        assert "Quenby" not in text


@pytest.mark.parametrize("name", sorted(path.relative_to(RUN).as_posix() for path in RUN.rglob("*.*")))
def test_a_missing_file_is_named_with_the_remedy(name: str, tmp_path: Path) -> None:
    shutil.copytree(RUN, tmp_path / "data")
    (tmp_path / "data" / name).unlink()
    with pytest.raises(UserError, match=rf"{name}: no such file; 'dvc repro' makes it"):
        report(settings(), RAW, tmp_path / "data", tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_the_stage_needs_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from tasks import report; report.main();"
        "sys.exit(', '.join({'torch', 'transformers', 'prefect', 'dvc', 'matplotlib.pyplot'} & set(sys.modules)) or 0)"
    )
    shutil.copy(ROOT / "params.yaml", tmp_path)
    arguments = ["--raw", str(RAW), "--data", str(RUN), "--report", "report", "--cost", "cost.json"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report/report.html").exists()
    assert records.read_json(tmp_path / "cost.json")["seconds"] > 0
