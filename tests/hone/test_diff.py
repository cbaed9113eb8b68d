"""`hone diff` on real branches: verdicts, what is shown, what is refused, where predictions come from."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest


def answer(branches, *arguments: str) -> dict:
    done = branches.hone("diff", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_two_branches_and_the_verdict_in_words(branches):
    found = answer(branches, "main", "better")
    assert found["headline"]["verdict"] == "better" and found["words"].startswith("Better: entity_f1 +0.")
    assert found["headline"]["low"] > 0 and found["headline"]["p"] <= 0.05
    assert found["params"] == {"finetune.learning_rate": ["0.0003", "0.001"]} and found["inputs"] == {}
    assert set(found["types"]) == {"LOC", "ORG", "PER"}
    missed = found["kinds"]["missed"]
    assert missed["verdict"] == "better" and missed["after"] > missed["before"], "fewer errors are better"
    assert answer(branches, "main", "worse")["headline"]["verdict"] == "worse"
    assert answer(branches, "main", "same")["headline"]["verdict"] == "too few data"
    assert "on 81 documents a true difference of" in answer(branches, "main", "same")["words"]


def test_ten_sentences_fixed_and_broken_with_what_was_found(branches):
    found = answer(branches, "worse", "better")
    assert found["fixed_count"] > 10 == len(found["fixed"])
    assert {"gold", "before", "after", "id"} == set(found["fixed"][0])
    assert found["fixed"][0]["after"] == found["fixed"][0]["gold"] == "[Ann PER] in [Rome LOC]"
    assert found["fixed"][0]["before"] == "Ann in Rome"
    assert all(one["before"] == one["gold"] != one["after"] for one in found["broken"])


def test_without_show_text_no_sentence_of_the_data_leaves(branches):
    branches.set("show_text: true", "show_text: false")
    for form in ("text", "markdown"):
        done = branches.hone("diff", "worse", "better", "--format", form)
        assert done.returncode == 0 and "Sentences fixed" in done.stdout and "test.conll:3" in done.stdout
        assert "Ann" not in done.stdout and "Cross" not in done.stdout
    assert "Ann" not in branches.hone("diff", "worse", "better", "--json").stdout


def test_the_default_is_the_workspace_against_the_merge_base(branches):
    branches.must("git", "checkout", "-q", "better")
    branches.must("dvc", "checkout", "-q", "--force")
    done = branches.hone("diff")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Better: ")
    assert re.search(r"^workspace against [0-9a-f]{7}, on test\.$", done.stdout, flags=re.M)
    assert "older than its code" not in done.stdout


def test_a_workspace_whose_results_are_stale_says_so(branches):
    branches.set("learning_rate: 3.0e-4", "learning_rate: 1.0e-3")
    assert "The workspace's results are older than its code or params (evaluate): run `hone run`." in (
        branches.hone("diff", "worse").stdout
    )


def test_seeds_on_both_sides_are_used_together(branches):
    for number in (3, 4):
        branches.branch(f"main-{number}", "\nseed: 1 ", f"\nseed: {number} ")
        branches.branch(f"better-{number}", "\nseed: 1 ", f"\nseed: {number} ", base="better")
    found = answer(branches, "main,main-3,main-4", "better,better-3,better-4")
    assert found["headline"]["seeds"] == [3, 3] and found["headline"]["verdict"] == "better"
    assert not any("One model" in note for note in found["notes"])
    assert "seed" not in found["params"], "the same seeds on both sides are no difference"


def test_a_trial_is_found_by_its_name(branches):
    base, trial = (branches.must("git", "rev-parse", name) for name in ("main", "better"))
    branches.must("git", "update-ref", f"refs/exps/{base[:2]}/{base[2:]}/faster", trial)
    assert answer(branches, "main", "faster")["after"] == [f"faster ({trial[:7]})"]


def test_predictions_come_from_the_remote_and_else_it_says_how_to_get_them(branches):
    shutil.rmtree(branches.folder / ".dvc/cache")
    assert answer(branches, "main", "better")["headline"]["verdict"] == "better"
    shutil.rmtree(branches.folder / ".dvc/cache")
    shutil.rmtree(branches.folder.parent / "store")
    done = branches.hone("diff", "better")
    assert done.returncode == 1 and done.stderr.startswith("error: better: data/predictions.test.jsonl (md5 ")
    assert "neither in DVC's cache nor in its remote; 'dvc push' where that revision was run" in done.stderr
    again = re.search(r"make it again: (.+)$", done.stderr.strip())[1]
    assert branches.call("bash", "-c", again).returncode == 0
    assert branches.hone("diff", "better").returncode == 0
    branches.must("dvc", "remote", "remove", "store")
    shutil.rmtree(branches.folder / ".dvc/cache")
    assert "there is no remote; 'dvc remote add -d NAME URL'" in branches.hone("diff", "better").stderr


def test_other_test_data_are_refused_as_incomparable(branches):
    branches.must("git", "checkout", "-q", "-b", "more", "better")
    (branches.folder / "data/raw/count").write_text("250")
    branches.run("more")
    done = branches.hone("diff", "main", "more")
    assert done.returncode == 1 and done.stdout == ""
    assert "were tested on different data (9 examples in one of them alone)" in done.stderr


def test_the_same_gold_under_other_words_is_other_data_too(branches):
    branches.must("git", "checkout", "-q", "-b", "words", "main")
    branches.set('"Rome"', '"Oslo"', "stub.py")
    branches.run("words")
    assert "different data (other texts or another order)" in branches.hone("diff", "main", "words").stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "'nowhere' is no revision and no trial"),
        (["main,better", "worse"], "are no seeds of one system: finetune.learning_rate differ"),
    ],
)
def test_what_cannot_be_compared_is_one_line(branches, arguments, said):
    done = branches.hone("diff", *arguments)
    assert done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1
    assert said in done.stderr


def test_a_revision_without_results_says_so(branches):
    branches.must("git", "checkout", "-q", "-b", "bare", "main")
    branches.must("git", "rm", "-q", "dvc.lock")
    branches.must("git", "commit", "-qm", "bare")
    assert "bare: has no dvc.lock" in branches.hone("diff", "bare", "better").stderr


def test_the_gate_sets_the_exit_code_and_names_what_failed(branches):
    assert branches.hone("diff", "main", "better", "--gate").returncode == 0
    assert branches.hone("diff", "main", "worse").returncode == 0, "without --gate a loss is told, not punished"
    branches.set("minimum: 0.0 ", "minimum: 0.9 ")
    branches.set("  types: {} ", "  types: {ORG: 0.95, MISC: 0.1} ")
    done = branches.hone("diff", "main", "worse", "--gate")
    assert done.returncode == 1
    failed = re.findall(r"^  (gate\.[\w.]+):", done.stdout, flags=re.M)
    assert failed == ["gate.minimum", "gate.no_loss", "gate.types.ORG", "gate.types.MISC"]
    assert json.loads(branches.hone("diff", "main", "worse", "--gate", "--json").stdout)["gate"][0].startswith(
        "gate.minimum"
    )


def test_markdown_is_written_to_a_file_with_tables_that_hold(branches):
    done = branches.hone("diff", "main", "better", "--format", "markdown", "--out", "verdict.md")
    assert done.returncode == 0 and done.stdout == ""
    text = (branches.folder / "verdict.md").read_text()
    tables = re.findall(r"(?:^\|.*\|\n)+", text, flags=re.M)
    assert len(tables) >= 4
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1
    assert text.startswith("**Better: ")


def test_diff_loads_neither_torch_nor_prefect(branches):
    code = (
        "import sys\nfrom hone.diff import diff\n"
        "diff('main', 'better', 'text', False, None)\n"
        "assert not {'torch', 'transformers', 'prefect'} & set(sys.modules), sorted(sys.modules)"
    )
    branches.must(sys.executable, "-c", code)
    assert Path(branches.folder / "params.yaml").is_file()
