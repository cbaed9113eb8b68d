"""`dvc plots show` and `dvc plots diff` draw what the plots block of dvc.yaml names."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tasks.yaml_files import read_yaml

ROOT = Path(__file__).parents[1]
RUN = ROOT / "tests/tasks/reporting/fixtures/run"
PLOTS = read_yaml(ROOT / "dvc.yaml")["plots"]


@pytest.fixture
def drawn(toy: Any) -> Any:
    """A project with our plots block and a finished run, committed."""
    text = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    (toy.folder / "dvc.yaml").write_text(text[text.index("\nplots:") :], encoding="utf-8")
    (toy.folder / "data").mkdir(exist_ok=True)
    for name in ("history.csv", "confusion.csv", "reliability.csv"):
        shutil.copy(RUN / name, toy.folder / "data")
    for command in (["add", "."], ["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "run"]):
        assert toy.call("git", *command).returncode == 0
    return toy


def test_every_plot_names_a_file_of_the_pipeline() -> None:
    stages = read_yaml(ROOT / "dvc.yaml")["stages"].values()
    made = {out if isinstance(out, str) else next(iter(out)) for stage in stages for out in stage.get("outs", [])}
    files = {
        file
        for plot in PLOTS
        for name, own in plot.items()
        for file in (own["y"] if isinstance(own["y"], dict) else [name])
    }
    assert files == {"data/history.csv", "data/confusion.csv", "data/reliability.csv"}
    assert files <= made


def test_show_draws_curves_confusion_and_reliability(drawn: Any) -> None:
    drawn.dvc("plots", "show")
    page = drawn.read("dvc_plots/index.html")
    for words in ("train_loss", "validation_loss", "validation_f1", "share that is right", "gold against predicted"):
        assert words in page
    assert "0.777778" in page
    assert "1.204411" in page


def test_diff_draws_both_sides(drawn: Any) -> None:
    drawn.set("0.777778", "0.876543", "data/reliability.csv")
    drawn.set("LOC,ORG\nLOC,ORG\n", "LOC,ORG\n", "data/confusion.csv")
    drawn.set("0.625", "0.9125", "data/history.csv")
    drawn.dvc("plots", "diff", "HEAD")
    page = drawn.read("dvc_plots/index.html")
    for words in ("0.777778", "0.876543", "0.9125", "workspace", "HEAD"):
        assert words in page
