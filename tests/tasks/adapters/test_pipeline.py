"""Each adapter through all four stages on its fixture rows: what one stage leaves, the next one reads."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tasks import params, params_file
from tasks.adapters import find
from tasks.evaluate import evaluate
from tasks.finetune import finetune
from tasks.models import content_hash
from tasks.params_file import check, tasks_available
from tasks.preprocess import preprocess
from tasks.records import read_predictions
from tasks.report import report
from tasks.reporting.markdown import plain
from tasks.scoring.beaten import beaten
from tasks.scoring.intervals import describe
from tasks.yaml_files import read_yaml

ROOT = Path(__file__).parents[3]
FIXTURES = Path(__file__).parent / "fixtures"
SPLITS = ("train", "validation", "test")


@pytest.mark.parametrize("task", tasks_available())
def test_from_raw_files_to_the_report(task: str, bert_folder: Path, tmp_path: Path, capsys: Any) -> None:
    adapter = find(task)
    values = params_file.load(ROOT / "params.yaml").model_dump()
    values["task"], values["options"] = task, read_yaml(ROOT / "params.yaml")[task]
    values["dataset"] = "rows"
    values["finetune"] |= {"model": str(bert_folder), "revision": content_hash(bert_folder), "max_length": 64}
    values["finetune"] |= {"batch_size": 4, "epochs": 2, "learning_rate": 1e-2, "window_overlap": 8}
    values["compute"] |= {"device": "cpu", "precision": "fp32", "threads": 1}
    settings = params.Params.model_validate(values)
    raw, data = tmp_path / "raw" / "rows", tmp_path / "data"
    raw.mkdir(parents=True)
    names = {}
    for split in SPLITS:
        source = next((FIXTURES / task).glob("broken.*" if split == "test" else "train.*"))
        names[split] = [f"{split}{source.suffix}"]
        shutil.copy(source, raw / names[split][0])
    facts = preprocess(
        raw,
        data / "prepared",
        adapter=adapter,
        options=check(adapter.options, settings.options, Path("params.yaml")),
        dataset="rows",
        splits=names,
        seed=1,
        on_defect="skip",
        fractions={},
    )
    assert [len(facts["splits"][split]["refused"]) for split in SPLITS] == [0, 0, 1]
    finetune(settings, data / "prepared", data / "model", data / "history.csv", None)
    evaluate(settings, data / "prepared", data / "model", data)
    report(settings, raw, data, data / "report")
    metrics = json.loads((data / "metrics.validation.json").read_text())
    headline = metrics[adapter.headline]
    assert metrics[f"{adapter.headline}_low"] <= headline <= metrics[f"{adapter.headline}_high"]
    assert metrics["over_baseline_low"] <= metrics["over_baseline"] <= metrics["over_baseline_high"]
    ending = "_f1" if adapter.headline.endswith("_f1") else ""
    assert f"baseline_{metrics['best_baseline']}{ending}" in metrics
    assert (f"baseline_neighbours{ending}" in metrics) == (adapter.likeness is not None)
    judged = not adapter.wording.written  # of a text none is right or wrong, so no confidence can be held against it
    assert ("ece" in metrics) == ("brier" in metrics) == judged
    assert beaten(metrics) in (data / "report" / "report.md").read_text()
    focus = json.loads((data / "focus.json").read_text())
    assert focus["headline"]["value"] == pytest.approx(headline, abs=1e-6)
    mistakes = (data / "mistakes.validation.jsonl").read_text().splitlines()
    assert sum(focus["errors"].values()) == len(mistakes)
    page = (data / "report" / "report.html").read_text()
    words = adapter.wording
    for split, names_of_files in (("validation", ("report.html", "report.md")), ("test", ("model_card.md",))):
        how = describe(list(read_predictions(data / f"predictions.{split}.jsonl")), words.examples)
        assert json.loads((data / f"metrics.{split}.json").read_text())["interval"] == how
        for name in names_of_files:
            assert f"In brackets the {how}." in (data / "report" / name).read_text()
    assert f"validation: {words.headline}" in page
    if words.figure != "F1":  # then nothing that is shown is one
        for name in ("report.html", "report.md", "model_card.md"):
            text = re.sub(
                r"<style.*?</style>|<script.*?</script>", "", (data / "report" / name).read_text(), flags=re.S
            )
            assert not re.search(r"\bf1\b", text.replace(words.rule, "").replace(plain(words.rule), ""), re.I), name
    if task != "token_classification":
        shown = re.sub(r"<style.*?</style>|<script.*?</script>", "", page, flags=re.S).lower()
        assert "entit" not in shown
        assert "token table" not in shown
    said = capsys.readouterr().err
    assert f"train: {facts['splits']['train']['sentences']:,} {words.examples}" in said
    assert f"validation: {words.headline} {headline:.4f}" in said
