"""Toy tokenizers and models made here: a WordPiece one as BERT has, a byte-level BPE one as RoBERTa has."""

from pathlib import Path

import pytest

SEED = 1  # of the weights, which would else depend on the tests that ran before
SENTENCES = [
    "Angela Merkel visited Toyota in Nagoya",
    "the unbelievable harbourmaster of Graz",
    "Kestrel Freight moves boxes",
]


@pytest.fixture(scope="session")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny random BERT and a WordPiece tokenizer of whole words and letters."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = sorted(
        {word.lower() for sentence in SENTENCES for word in sentence.split()} - {"unbelievable", "harbourmaster"}
    )
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    vocabulary = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *words,
        *letters,
        *(f"##{letter}" for letter in letters),
    ]
    vocabulary += list("0123456789.,!?-'#@\"")
    numbers = {word: number for number, word in enumerate(dict.fromkeys(vocabulary))}
    backend = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.BertProcessing(("[SEP]", numbers["[SEP]"]), ("[CLS]", numbers["[CLS]"]))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )
    folder = tmp_path_factory.mktemp("bert")
    tokenizer.save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(numbers),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    torch.manual_seed(SEED)
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def roberta_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny random RoBERTa and a byte-level BPE tokenizer that needs add_prefix_space."""
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import RobertaConfig, RobertaModel, RobertaTokenizerFast

    folder = tmp_path_factory.mktemp("roberta")
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(SENTENCES * 5, vocab_size=330, special_tokens=special, show_progress=False)
    trained.save_model(str(folder))
    RobertaTokenizerFast.from_pretrained(str(folder)).save_pretrained(folder)
    config = RobertaConfig(
        vocab_size=trained.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=66,
        pad_token_id=1,
    )
    torch.manual_seed(SEED)
    RobertaModel(config).save_pretrained(folder)
    return folder
