"""The model card is one that the Hub's own library reads, and says whose figures it holds."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from tasks import params
from tasks.reporting.data_card import DataCard
from tasks.reporting.gather import Report
from tasks.reporting.model_card import fingerprints, model_card

RUN = Path(__file__).parent / "fixtures/run"
DATA_CARD = DataCard({"license": "cc0-1.0", "language": "en"}, {"bias": ("Bias", "- Rather short.\n\n- Old.")})


@pytest.fixture(scope="module")
def hashes(settings: params.Params) -> dict[str, str]:
    return fingerprints(settings, RUN / "prepared")


@pytest.fixture(scope="module")
def card(gathered: Report, settings: params.Params, hashes: dict[str, str]) -> str:
    return model_card(gathered, settings, DATA_CARD, hashes)


def test_the_hub_reads_its_results(card: str, hashes: dict[str, str]) -> None:
    data = ModelCard(card).data
    assert (data.license, data.language, data.library_name) == ("apache-2.0", "en", "transformers")
    assert (data.pipeline_tag, data.base_model) == ("token-classification", "sentence-transformers/all-MiniLM-L6-v2")
    results = data.eval_results
    assert results is not None
    (f1,) = [own for own in results if own.metric_name == "F1 (strict, IOB2)" and own.dataset_split == "test"]
    assert (f1.metric_type, f1.metric_value, f1.dataset_name) == ("f1", 0.909091, "tiny")
    assert f1.dataset_revision == f"sha256:{hashes['test']}"
    assert {own.dataset_split for own in results} == {"validation", "test"}


def test_what_somebody_who_gets_the_model_must_know_is_there(card: str, hashes: dict[str, str]) -> None:
    headings = [line for line in card.splitlines() if line.startswith("#")]
    assert headings == [
        "# tiny: token classification",
        "## Uses",
        "## Bias, risks and limitations",
        "### Limits",
        "### Bias",
        "### Personal data",
        "## Training",
        "## Evaluation",
    ]
    for words in (
        "On test it has a strict entity F1 of 0.909 [0.759, 1.000].",
        "The data card says under `Bias`:\n\n> - Rather short.\n>\n> - Old.",
        "heading names it (use) is quoted here.",
        "divide the logits by 1.35",
        "which flatters the score",
        "licence `cc0-1.0`",
        f"SHA-256 `{hashes['params']}`",
        f"| train | 5 | 13 | 3 | `{hashes['train']}` |",
        "learning_rate: 0.0003",
        "On test F1 goes from 0.667 for `PER` (2 gold) to 1.000 for `ORG` (2 gold).",
    ):
        assert words in card


def test_hashes_follow_params_and_data(settings: params.Params, hashes: dict[str, str], tmp_path: Path) -> None:
    seed = settings.model_copy(update={"seed": settings.seed + 1})
    often = settings.model_copy(update={"checkpoints": params.CheckpointParams(every_seconds=1, every_steps=1)})
    assert fingerprints(seed, RUN / "prepared")["params"] != hashes["params"]
    assert fingerprints(often, RUN / "prepared") == hashes
    shutil.copytree(RUN / "prepared", tmp_path / "prepared")
    with (tmp_path / "prepared/train.jsonl").open("a") as file:
        file.write("{}\n")
    other = fingerprints(settings, tmp_path / "prepared")
    assert {name for name in hashes if other[name] != hashes[name]} == {"train"}


def test_a_model_of_a_folder_is_named_without_its_path(
    gathered: Report, settings: params.Params, hashes: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    finetune = settings.finetune.model_copy(update={"model": str(tmp_path / "mine")})
    card = model_card(gathered, settings.model_copy(update={"finetune": finetune}), DATA_CARD, hashes)
    assert "base_model" not in card
    assert "model: mine\n" in card
    assert str(tmp_path) not in card


def test_the_data_card_is_not_quoted_where_no_text_may_be_shown(
    gathered: Report, settings: params.Params, hashes: dict[str, str]
) -> None:
    card = model_card(replace(gathered, show_text=False), settings, DATA_CARD, hashes)
    assert "Rather short" not in card
    assert "The data card has a section `Bias`. It is not quoted" in card
