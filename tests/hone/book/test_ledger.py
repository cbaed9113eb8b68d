"""The ledger says what Git and DVC remember, and no more."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from hone.book import iterations as reading
from hone.book import verdicts as judging
from hone.book.iterations import iterations
from hone.book.lessons import lessons
from hone.book.rows import rows
from hone.book.verdicts import Verdicts
from hone.ledger import ledger
from tasks.params_file import load


def verdicts() -> Verdicts:
    return Verdicts("token_classification", relevant=0.05, resamples=1000)


def listed() -> list[Any]:
    return rows(iterations(), "entity_f1", verdicts())


def test_every_iteration_has_its_facts(history: Any) -> None:
    first = history.commit(0.6, "The first")
    (history.folder / "README.md").write_text("no results")
    history.save("No results changed")
    second = history.commit(0.9, "A calmer start", params=history.params("warmup_ratio: 0.1", "warmup_ratio: 0.2"))
    found = listed()
    assert [row.iteration.rev for row in found] == [first, second]
    one = found[1]
    assert (one.iteration.hypothesis, dict(one.changed)) == ("A calmer start", {"finetune.warmup_ratio": (0.1, 0.2)})
    assert one.figure == pytest.approx(0.95, abs=0.05) and one.low == pytest.approx(one.figure - 0.05)
    assert one.verdict.word == "better" and one.verdict.low > 0 and one.best == first[:7]
    assert 200 <= one.iteration.seconds <= 300 and one.iteration.memory == 1200
    assert found[0].verdict is None and [row.looks for row in found] == [1, 2]


def test_the_bar_is_the_best_commit_before(history: Any) -> None:
    history.commit(0.6, "first")
    best = history.commit(0.95, "best")
    history.commit(0.5, "a step back")
    assert [row.best for row in listed()][2:] == [best[:7]]
    history.commit(0.7, "better than the last one, worse than the best")
    last = listed()[-1]
    assert last.best == best[:7] and last.verdict.word == "worse"


def test_trials_are_compared_with_what_they_were_tried_on(history: Any) -> None:
    base = history.commit(0.6, "first")
    text = history.params("warmup_ratio: 0.1", "warmup_ratio: 0.3")
    history.trial("calm", 0.95, reason="a calmer start", expect=0.05, files={"params": text})
    history.trial("hot", 0.2, reason="hotter", expect=0.05, kind="sweep")
    by_name = {row.iteration.name: row for row in listed()}
    calm, hot = by_name["calm"], by_name["hot"]
    assert calm.held == "held" and hot.held == "did not hold" and by_name[""].held is None
    assert dict(calm.changed) == {"finetune.warmup_ratio": (0.1, 0.3)} and dict(hot.changed) == {}
    assert calm.best == base[:7] and calm.verdict.word == "better" and calm.iteration.seconds == 60.0
    assert (hot.iteration.kind, hot.iteration.hypothesis) == ("sweep", "hotter")


def test_a_trial_on_a_commit_without_results_belongs_to_the_results_before(history: Any) -> None:
    base = history.commit(0.6, "first")
    (history.folder / "README.md").write_text("words")
    history.save("words")
    history.trial("t", 0.9)
    (one,) = [one for one in iterations() if one.name]
    assert one.base == base


def test_missing_predictions_are_unknown_and_counted(history: Any, capsys: Any) -> None:
    history.commit(0.6, "first")
    history.commit(0.9, "second")
    shutil.rmtree(history.folder / ".dvc/cache")
    assert [row.verdict and row.verdict.word for row in listed()] == [None, "unknown"]
    assert ledger(load(Path("params.yaml")), lessons=False, last=5, trials=True, as_json=False) == 0
    said = capsys.readouterr().out
    assert "unknown" in said and "predictions are not in DVC's cache" in " ".join(said.split())
    assert not judging.REMEMBERED.exists() or "unknown" not in judging.REMEMBERED.read_text()


def test_what_is_remembered_may_be_deleted(history: Any) -> None:
    history.commit(0.6, "first")
    history.commit(0.8, "second")
    before = listed()
    assert judging.REMEMBERED.exists() and reading.REMEMBERED.exists()
    assert listed() == before
    for file in (judging.REMEMBERED, reading.REMEMBERED):
        file.write_text("{broken")
    assert listed() == before
    shutil.rmtree(judging.REMEMBERED.parent)
    assert listed() == before


def test_remembered_verdicts_need_no_predictions(history: Any) -> None:
    history.commit(0.6, "first")
    history.commit(0.8, "second")
    before = listed()
    shutil.rmtree(history.folder / ".dvc/cache")
    assert listed() == before


def test_other_data_and_code_are_named_and_a_broken_lock_hides_nothing(history: Any) -> None:
    from benchmarks.ledger import lock

    history.commit(0.6, "first")
    (history.folder / "dvc.lock").write_text(lock({}, data="2" * 32, code="3" * 32))
    history.save("other data and code")
    (history.folder / "dvc.lock").write_text("stages:\n  a:\n    outs:\n    - broken: 1\n")
    history.save("a broken lock")
    found = listed()
    assert found[1].data == ["data/raw/hone-ner"] and found[1].code == 40
    assert found[2].iteration.predictions == {} and found[2].verdict.word == "unknown"


def test_params_that_decide_no_result_are_no_change(history: Any) -> None:
    history.commit(0.6, "first")
    history.commit(0.6, "goal", params=history.params("value: 0.7 ", "value: 0.9 "))
    assert dict(listed()[1].changed) == {}


def test_lessons_count_seeds_together(history: Any) -> None:
    history.commit(0.6, "first")
    calm, hot = (history.params("warmup_ratio: 0.1", f"warmup_ratio: {value}") for value in ("0.3", "0.0"))
    for seed in (2, 3):
        history.trial(
            f"base-{seed}", 0.6, kind="repeat", files={"params": history.params("\nseed: 1 ", f"\nseed: {seed} ")}
        )
        history.trial(f"calm-{seed}", 0.95, files={"params": calm.replace("\nseed: 1 ", f"\nseed: {seed} ")})
        history.trial(f"hot-{seed}", 0.3, files={"params": hot.replace("\nseed: 1 ", f"\nseed: {seed} ")})
    history.trial("close", 0.62, reason="who knows", files={"params": history.params("dropout: 0.1 ", "dropout: 0.2 ")})
    wild = history.params("dropout: 0.1 ", "dropout: 0.2 ")
    for old, new in (
        ("epochs: 8 ", "epochs: 4 "),
        ("batch_size: 16 ", "batch_size: 8 "),
        ("layer_decay: 1.0", "layer_decay: 0.9"),
    ):
        wild = wild.replace(old, new, 1)
    history.trial("wild", 0.9, files={"params": wild})
    found, large = lessons(iterations(), verdicts())
    told = {one.group: (one.params, one.change, one.seeds) for one in found}
    assert told["helped"] == (("finetune.warmup_ratio",), "0.1 -> 0.3", (3, 2))
    assert told["did not help"] == (("finetune.warmup_ratio",), "0.1 -> 0.0", (3, 2))
    assert told["never certain"] == (("finetune.dropout",), "0.1 -> 0.2", (3, 1))
    assert large == 1 and len(found) == 3


def test_what_a_person_sees_is_narrow_and_plain(history: Any, capsys: Any) -> None:
    history.commit(0.6, "The <first> one, with a long story " + "of many words " * 12)
    for number in range(3):
        history.trial(f"a-trial-with-quite-a-long-name-{number}", 0.7 + number / 10, reason="why *not*", expect=0.01)
    settings = load(Path("params.yaml"))
    assert ledger(settings, lessons=False, last=2, trials=True, as_json=False) == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) < 80 and "\x1b" not in said
    assert "the last 2 of 4" in said and "expected +1.00 points: held" in said
    assert "1 commit and 3 trials" in said and "4 different models have been scored on test" in " ".join(said.split())
    page = Path("data/loop/ledger.html").read_text()
    assert "The &lt;first&gt; one" in page and "goal 0.7" in page and page.count("<circle") == 4
    assert r"why \*not\*" in Path("data/loop/ledger.md").read_text()
    assert ledger(settings, lessons=True, last=2, trials=True, as_json=False) == 0
    said = capsys.readouterr().out
    assert "Never certain" in said and max(map(len, said.splitlines())) < 80
    assert ledger(settings, lessons=False, last=2, trials=False, as_json=True) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["kind"] == "commit" and row["test_looks"] == 1


def test_a_thousand_commits_are_read_and_asked_of_git_in_few_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No clock: what is counted is processes of Git, which must not grow with the history."""
    from benchmarks.ledger import make
    from flows.trials import git as plumbing

    folder = tmp_path / "project"
    monkeypatch.setattr("benchmarks.ledger.SENTENCES", 30)
    make(folder, 1000)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(reading, "parsed", lambda content, name: {"seed": len(content)})  # YAML takes seconds
    calls = []
    real = plumbing._run
    monkeypatch.setattr(plumbing, "_run", lambda *a: calls.append(a) or real(*a))
    found = iterations()
    assert len(found) == 1000 and len(calls) <= 8
    assert [one.hypothesis for one in found] == [f"Iteration {number}" for number in range(1000)]
