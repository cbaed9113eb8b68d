from pathlib import Path
from typing import Any

import pytest

from tasks.errors import UserError
from tasks.params_file import load, tasks_available

ROOT = Path(__file__).parents[2]


@pytest.fixture
def edited(tmp_path: Path):
    """A copy of params.yaml in which one text is replaced by another."""

    def edit(old: str, new: str) -> Path:
        text = (ROOT / "params.yaml").read_text()
        assert old in text
        path = tmp_path / "params.yaml"
        path.write_text(text.replace(old, new, 1))
        return path

    return edit


def test_the_shipped_params_load() -> None:
    params = load(ROOT / "params.yaml")
    assert params.task in tasks_available()
    assert params.finetune.learning_rate < 1


def test_numbers_are_read_as_dvc_reads_them(edited: Any) -> None:
    assert load(edited("learning_rate: 3.0e-4", "learning_rate: 5e-5")).finetune.learning_rate == 5e-5


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  epochs:", "  epoch:", r"params.yaml: finetune\.epochs: missing.*finetune\.epoch: unknown key .*'epochs'"),
        ("learning_rate: 3.0e-4", "learning_rate: fast", r"finetune\.learning_rate: 'fast' should be a valid number"),
        ("epochs: 8", "epochs: 0", r"finetune\.epochs: 0 should be greater than or equal to 1"),
        ("threads: 2", "threads: two", r"compute\.threads: 'two' should be a valid integer"),
        ("on_defect: stop", "on_defect: halt", r"preprocess\.on_defect: 'halt' should be 'stop' or 'skip'"),
        ("task: token_classification", "task: token_clasification", r"is unknown; there are: .*mean 'token_classif"),
        ("seed: 1", "seed: [1", r"params.yaml:\d+: not YAML"),
        ("dataset: hone-ner", "", r"dataset: missing"),
        ("train: [train.conll]", "train: []", r"splits\.train: \[\] .*at least 1 item"),
        ("train_share: 1.0", "train_share: 0", r"finetune\.train_share: 0 should be greater than 0"),
        ("high: 1.0e-3, scale: log", "high: 1.0e-3, scale: cubic", r"sweep\.space\.0\.range\.scale: 'cubic'"),
        ("low: 1.0e-4, high: 1.0e-3", "low: 1.0e-4", r"sweep\.space\.0\.range\.high: missing"),
        ("choices: [linear, mlp, crf]", "choices: [linear]", r"sweep\.space\.5\.choices\.choices: .*at least 2"),
        (
            "{param: finetune.features, choices:",
            "{parm: finetune.features, choices:",
            r"space\.4\.choices\.parm: unknown",
        ),
        ("off: 0.0}", "of: 0.0}", r"ablate\.choices\.0\.off: missing"),
        ("\ntoken_classification:", "\ntoken_clasification:", r"the block 'token_classification:' .* missing"),
    ],
)
def test_a_mistake_is_named_with_its_key(edited: Any, old: str, new: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        load(edited(old, new))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"features: last": "features: frozen", "rank: 0 ": "rank: 8 "},
            r"features: frozen .* finetune\.lora\.rank: 8",
        ),
        (
            {"features: last": "features: frozen", "frozen_layers: 0": "frozen_layers: 2"},
            r"frozen_layers: 2 says nothing with finetune\.features: frozen",
        ),
        (
            {"features: last": "features: frozen", "layer_decay: 1.0": "layer_decay: 0.9"},
            r"layer_decay: 0\.9 has no layer to work on with finetune\.features: frozen",
        ),
        (
            {"head: linear": "head: crf", "class_weights: none": "class_weights: balanced"},
            r"class_weights: balanced weighs words, and finetune\.head: crf",
        ),
        (
            {"micro_batch_size: 0": "micro_batch_size: 17"},
            r"micro_batch_size: 17 is more than finetune\.batch_size: 16",
        ),
        (
            {"minimum_gain: 0.0": "minimum_gain: 0.1"},
            r"minimum_gain: 0\.1 has no effect with finetune\.patience: 0",
        ),
        (
            {"metric: headline": "metric: per_type.ORG.f1", 'slice: "" ': 'slice: "type: ORG" '},
            r"goal\.slice: 'type: ORG' is judged by the headline, and goal\.metric: per_type\.ORG\.f1",
        ),
        (
            {"[0.125, 0.25, 0.5, 1.0]": "[0.125, 0.5, 0.25, 1.0]"},
            r"curve\.shares: \[0\.125, 0\.5, 0\.25, 1\.0\] do not rise",
        ),
        (
            {"patience: 0": "patience: 8"},
            r"patience: 8 cannot end a run of finetune\.epochs: 8",
        ),
    ],
)
def test_values_that_make_no_sense_together_are_refused_with_both_keys(
    tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    text = (ROOT / "params.yaml").read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(UserError, match=message) as error:
        load(tmp_path / "params.yaml")
    assert "\n" not in str(error.value)


def test_missing_file_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file; run this in the project's folder"):
        load(tmp_path / "params.yaml")
