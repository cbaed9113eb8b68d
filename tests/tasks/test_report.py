"""The stage: two files, the same bytes every time, no text where none may be shown, no torch."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tasks import params, records
from tasks.errors import UserError
from tasks.report import report

ROOT = Path(__file__).parents[2]
RUN = ROOT / "tests/tasks/reporting/fixtures/run"


def settings(*, worst_mistakes: int = 40, show_text: bool = True) -> params.Params:
    shown = params.Report(worst_mistakes=worst_mistakes, show_text=show_text)
    return params.load(ROOT / "params.yaml").model_copy(
        update={"task": "token_classification", "dataset": "tiny", "report": shown}
    )


def secret_run(folder: Path) -> Path:
    """The finished run with every word of its sentences and messages replaced by one that no page would hold."""
    shutil.copytree(RUN, folder)
    prepared = folder / "prepared"
    examples = [
        records.Example(example.id, None, {"words": [f"zq{n}zq" for n in range(len(example.target))]}, example.target)
        for example in records.read_examples(RUN / "prepared/validation.jsonl")
    ]
    records.write_examples(prepared / "validation.jsonl", examples)
    summary = records.read_json(prepared / "summary.json")
    for row in summary["splits"]["train"]["refused"]:
        row["message"] = "1 columns ('zq99zq') where most words of the file have 2"
    records.write_json(prepared / "summary.json", summary)
    return folder


def test_two_files_with_the_same_bytes_every_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        report(settings(), RUN, tmp_path / name)
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == ["report.html", "report.md"]
    for name in ("report.html", "report.md"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_no_text_of_the_data_where_none_may_be_shown(tmp_path: Path) -> None:
    data = secret_run(tmp_path / "data")
    for name, show_text in (("open", True), ("closed", False)):
        report(settings(show_text=show_text), data, tmp_path / name)
    for name in ("report.html", "report.md"):
        assert "zq0zq" in (tmp_path / "open" / name).read_text()
        assert "zq" not in (tmp_path / "closed" / name).read_text()
    page = (tmp_path / "closed/report.html").read_text()
    assert "validation.conll:66" in page  # the place of a mistake is no text
    assert "train.conll:19" in page
    assert "report.show_text" in page


def test_no_mistakes_where_none_are_asked_for(tmp_path: Path) -> None:
    report(settings(worst_mistakes=0), RUN, tmp_path)
    for name in ("report.html", "report.md"):
        text = (tmp_path / name).read_text()
        assert "6 of 10 sentences" in text
        assert "Nordhaven" not in text


@pytest.mark.parametrize("name", sorted(path.relative_to(RUN).as_posix() for path in RUN.rglob("*.*")))
def test_a_missing_file_is_named_with_the_remedy(name: str, tmp_path: Path) -> None:
    shutil.copytree(RUN, tmp_path / "data")
    (tmp_path / "data" / name).unlink()
    with pytest.raises(UserError, match=rf"{name}: no such file; 'dvc repro' makes it"):
        report(settings(), tmp_path / "data", tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_the_stage_needs_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from tasks import report; report.main();"
        "sys.exit(', '.join({'torch', 'transformers', 'prefect', 'dvc', 'matplotlib.pyplot'} & set(sys.modules)) or 0)"
    )
    shutil.copy(ROOT / "params.yaml", tmp_path)
    arguments = ["--data", str(RUN), "--report", "report", "--cost", "cost.json"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report/report.html").exists()
    assert records.read_json(tmp_path / "cost.json")["seconds"] > 0
