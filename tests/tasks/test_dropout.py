from typing import Any

import pytest
from torch import nn
from transformers import AutoModel, BartConfig, BertConfig, DistilBertConfig

from tasks.dropout import set_dropout

BERT = BertConfig(vocab_size=30, hidden_size=16, intermediate_size=24, num_attention_heads=2, num_hidden_layers=1)
DISTILBERT = DistilBertConfig(vocab_size=30, dim=16, hidden_dim=24, n_heads=2, n_layers=1)
BART = BartConfig(
    vocab_size=30,
    d_model=16,
    encoder_layers=1,
    decoder_layers=1,
    encoder_attention_heads=2,
    decoder_attention_heads=2,
    encoder_ffn_dim=24,
    decoder_ffn_dim=24,
)


@pytest.mark.parametrize("config", [BERT, DISTILBERT], ids=["bert", "distilbert"])
def test_modules_of_attention_get_the_one_and_all_others_the_other(config: Any) -> None:
    model = AutoModel.from_config(config, attn_implementation="eager")
    set_dropout(model.config, model, 0.4, 0.2)
    found = {name: module.p for name, module in model.named_modules() if isinstance(module, nn.Dropout)}
    assert set(found.values()) == {0.4, 0.2}
    assert all(("attention" in name and "output" not in name) == (rate == 0.2) for name, rate in found.items())


def test_dropout_reaches_models_that_drop_by_a_number() -> None:
    model = AutoModel.from_config(BART)
    set_dropout(model.config, model, 0.4, 0.2)
    layer = model.decoder.layers[0]
    assert (layer.dropout, layer.self_attn.dropout) == (0.4, 0.2)
    assert (model.config.dropout, model.config.attention_dropout) == (0.4, 0.2)
