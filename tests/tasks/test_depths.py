from typing import Any

import pytest
from transformers import (
    AlbertConfig,
    AutoModelForTokenClassification,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ModernBertConfig,
    RobertaConfig,
)

from tasks.depths import check_depths, depths, freeze, layer_count, rate_factor
from tasks.errors import UserError

SMALL = {"vocab_size": 30, "hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2}
CONFIGS = {
    "bert": BertConfig(**SMALL, num_hidden_layers=3),
    "roberta": RobertaConfig(**SMALL, num_hidden_layers=3),
    "deberta": DebertaV2Config(**SMALL, num_hidden_layers=3, relative_attention=True, norm_rel_ebd="layer_norm"),
    "modernbert": ModernBertConfig(**SMALL, num_hidden_layers=3, pad_token_id=0, bos_token_id=1, eos_token_id=2),
    "distilbert": DistilBertConfig(vocab_size=30, dim=16, hidden_dim=24, n_heads=2, n_layers=3),
}


def model_of(config: Any) -> Any:
    return AutoModelForTokenClassification.from_config(config)


@pytest.mark.parametrize("name", CONFIGS)
def test_every_parameter_has_its_depth(name: str) -> None:
    model = model_of(CONFIGS[name])
    found = depths(model)
    assert set(found) == {name for name, _ in model.named_parameters()}
    assert layer_count(model) == 3
    assert set(found.values()) == {0, 1, 2, 3, 4}
    assert all(depth == 0 for name, depth in found.items() if "embeddings" in name)
    assert all(depth == int(name.split(".layers.")[-1].split(".layer.")[-1][0]) + 1
               for name, depth in found.items() if ".layer." in name or ".layers." in name)  # fmt: skip
    assert {name for name, depth in found.items() if depth == 4} == {
        name for name, _ in model.named_parameters() if not name.startswith(f"{model.base_model_prefix}.")
    }


def test_what_comes_after_the_layers_learns_as_the_last_one_does() -> None:
    assert depths(model_of(CONFIGS["modernbert"]))["model.final_norm.weight"] == 3


def test_the_rate_falls_from_the_head_down() -> None:
    assert [rate_factor(depth, 3, 0.5) for depth in range(5)] == [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0]
    assert {rate_factor(depth, 12, 1.0) for depth in range(14)} == {1.0}


def test_freezing_takes_the_lower_layers_and_the_embeddings() -> None:
    model = model_of(CONFIGS["bert"])
    freeze(model, 2)
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained == {name for name, depth in depths(model).items() if depth >= 3}
    assert len(trained) == 16 + 2
    other = model_of(CONFIGS["bert"])
    freeze(other, 0)
    assert all(parameter.requires_grad for parameter in other.parameters())


def test_more_layers_than_there_are_cannot_be_frozen() -> None:
    model = model_of(CONFIGS["bert"])
    check_depths(model, frozen_layers=3, layer_decay=1.0, lora_rank=0)
    check_depths(model, frozen_layers=2, layer_decay=0.9, lora_rank=4)
    with pytest.raises(UserError, match=r"finetune\.frozen_layers: 4 is more than the 3 layers of finetune\.model"):
        check_depths(model, frozen_layers=4, layer_decay=1.0, lora_rank=0)
    with pytest.raises(UserError, match=r"layer_decay: 0\.9 has no layer .* finetune\.frozen_layers: 3 freezes all"):
        check_depths(model, frozen_layers=3, layer_decay=0.9, lora_rank=0)
    with pytest.raises(UserError, match=r"lora\.rank: 4 has no layer .* finetune\.frozen_layers: 3 freezes all"):
        check_depths(model, frozen_layers=3, layer_decay=1.0, lora_rank=4)


def test_layers_that_share_their_weights_are_refused_where_it_matters() -> None:
    model = model_of(AlbertConfig(**SMALL, num_hidden_layers=3, embedding_size=8))
    check_depths(model, frozen_layers=0, layer_decay=1.0, lora_rank=4)
    with pytest.raises(UserError, match=r"the layers of a albert are not known one by one; write finetune\.frozen"):
        check_depths(model, frozen_layers=1, layer_decay=1.0, lora_rank=0)
