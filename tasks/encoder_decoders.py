"""Encoder-decoders: from the Hub or a folder, begun from an encoder, or small and new with a tokenizer of its own."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.encoding import IGNORED
from tasks.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

PAD, UNKNOWN, END = "<pad>", "<unk>", "</s>"


def load(source: str, load: dict[str, Any]) -> "PreTrainedModel":
    """The encoder-decoder of a folder or of the Hub; from an encoder, one that begins with its weights on both sides.

    Of an encoder the decoder takes all weights that fit, and its attention to the source starts at random from torch's
    seed (the warm start of Rothe et al. 2020, "BERT2BERT").

    Raises:
        UserError: it cannot be loaded, or is an encoder that transformers cannot make a decoder of.
    """
    from transformers import AutoConfig, AutoModelForSeq2SeqLM

    from tasks.models import load_model

    keywords = {key: value for key, value in load.items() if key != "use_safetensors"}
    config = load_model(AutoConfig, source, keywords)
    if not config.is_encoder_decoder:
        return _warm_started(source, load)
    made: PreTrainedModel = load_model(AutoModelForSeq2SeqLM, source, load, attn_implementation="eager")
    if made.config.decoder_start_token_id is None:
        made.config.decoder_start_token_id = made.generation_config.decoder_start_token_id
    if made.config.decoder_start_token_id is None:
        raise UserError(
            f"params.yaml: finetune.model: {source} names no decoder_start_token_id, so nothing says how it begins to "
            "write; add it to its config.json"
        )
    return made


def _warm_started(source: str, load: dict[str, Any]) -> "PreTrainedModel":
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, EncoderDecoderModel

    from tasks.models import load_model, load_tokenizer

    keywords = {key: value for key, value in load.items() if key != "use_safetensors"}
    config = load_model(AutoConfig, source, keywords, is_decoder=True, add_cross_attention=True)
    if type(config) not in AutoModelForCausalLM._model_mapping:
        raise UserError(
            f"params.yaml: finetune.model: {source} ({config.model_type}) has no decoder in transformers; take an "
            "encoder-decoder, a BERT or RoBERTa, or 'scratch'"
        )
    encoder = load_model(AutoModel, source, load, attn_implementation="eager")
    decoder = load_model(AutoModelForCausalLM, source, load, config=config, attn_implementation="eager")
    made: PreTrainedModel = EncoderDecoderModel(encoder=encoder, decoder=decoder)
    tokenizer = load_tokenizer(source, load)
    start = tokenizer.bos_token_id if tokenizer.cls_token_id is None else tokenizer.cls_token_id
    end = tokenizer.eos_token_id if tokenizer.sep_token_id is None else tokenizer.sep_token_id
    for own in (made.config, made.generation_config):
        own.decoder_start_token_id, own.eos_token_id, own.pad_token_id = start, end, tokenizer.pad_token_id
    made.config.vocab_size = made.config.decoder.vocab_size
    for part in (made.config.encoder, made.config.decoder):
        part._name_or_path = ""  # would hold a path of this machine
    return made


def write_small(
    folder: Path,
    texts: Iterable[str],
    *,
    vocabulary: int,
    width: int,
    layers: int,
    heads: int,
    positions: int,
    seed: int,
) -> None:
    """Write a small new encoder-decoder with a tokenizer that is trained on ``texts``; the same for the same input.

    A Transformer (Vaswani et al. 2017) in transformers' Marian class, with one table of embeddings for both sides and
    the output (Press and Wolf 2017), and byte-pair encoding over both languages (Sennrich et al. 2016).

    Args:
        texts: of both sides, of train alone.
        vocabulary: sub-words at most.
        width: of hidden states; the inner layers are four times as wide.
        layers: of the encoder, and as many of the decoder.
        heads: of attention; they divide ``width``.
        positions: sub-words of the longest source and target.
    """
    import torch
    from transformers import MarianConfig, MarianMTModel

    from tasks.models import quiet

    quiet()
    tokenizer = _train_tokenizer(texts, vocabulary)
    config = MarianConfig(
        vocab_size=len(tokenizer),
        d_model=width,
        encoder_layers=layers,
        decoder_layers=layers,
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        encoder_ffn_dim=4 * width,
        decoder_ffn_dim=4 * width,
        max_position_embeddings=positions,
        activation_function="relu",
        scale_embedding=True,
        init_std=width**-0.5,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.pad_token_id,
        forced_eos_token_id=None,
    )
    torch.manual_seed(seed)
    MarianMTModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _train_tokenizer(texts: Iterable[str], vocabulary: int) -> "PreTrainedTokenizerFast":
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE(unk_token=UNKNOWN))
    backend.normalizer = normalizers.NFC()
    marks = [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation(), pre_tokenizers.Digits(individual_digits=True)]
    backend.pre_tokenizer = pre_tokenizers.Sequence(marks)
    backend.decoder = decoders.Metaspace()
    special = [PAD, UNKNOWN, END]
    backend.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=special, show_progress=False)
    )
    backend.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", special_tokens=[(END, special.index(END))]
    )
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token=UNKNOWN, pad_token=PAD, eos_token=END)


def label_logits(model: Any, batch: dict[str, Any]) -> "Tensor":
    """Scores (n, vocabulary) of the n labels of a batch, row by row, each after the labels before it.

    Args:
        batch: with input_ids and attention_mask (B, L), and labels (B, T), IGNORED behind the end of each.
    """
    labels = batch["labels"]
    read = labels.roll(1, 1)
    read[:, 0] = model.config.decoder_start_token_id
    read = read.masked_fill(read == IGNORED, model.config.pad_token_id)
    outputs = model(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        decoder_input_ids=read,
        use_cache=False,
    )
    logits: Tensor = outputs.logits[labels != IGNORED]
    return logits


def positions(config: Any) -> int | None:
    """Sub-words that the decoder can write at most; None where nothing bounds it (relative positions)."""
    own = getattr(config, "decoder", None) or config
    most = getattr(own, "max_position_embeddings", None)
    if most is None:
        return None
    reserved = (own.pad_token_id or 0) + 1 if own.model_type in ("roberta", "xlm-roberta", "camembert") else 0
    return int(most) - reserved
