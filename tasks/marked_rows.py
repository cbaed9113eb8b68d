"""Words of one text that stand in another too are read by rows of their own: exact match as a feature of the embedding.

Chen et al. 2017 (DrQA) tell a reader which words of a text stand in the question. Here each sub-word has a second row
of the embedding for that, which begins as the first one with the same vector added everywhere, as BERT's types of
sub-words are. Words are compared by their characters, so that those match too whose sub-words the tokenizer does not
know.
"""

from collections.abc import Sequence
from typing import Any

from tasks import raw_text
from tasks.errors import UserError

MARKED = "hone_marked_rows"  # in the config of a model: where its second rows begin
SIZE = 0.6  # of the added vector, as a share of the mean length of a row


def marked(ids: Sequence[int], offsets: Sequence[tuple[int, int]], text: str, other: str, vocabulary: int) -> list[int]:
    """``ids``, those in words of ``text`` that ``other`` has too, in upper or lower case, as their second rows.

    Args:
        offsets: first character and character after the last of each sub-word in ``text``.
        vocabulary: how many sub-words the tokenizer knows, which is where the second rows begin.
    """
    known = {word for word, _, _ in _words(other)}
    shared = bytearray(len(text) + 1)
    for word, start, end in _words(text):
        if word in known:
            shared[start:end] = b"\1" * (end - start)
    return [
        number + vocabulary if 1 in shared[start:end] else number  # some tokenizers count the space before a word in
        for number, (start, end) in zip(ids, offsets, strict=True)
    ]


def vocabulary_of(tokenizer: Any) -> int:
    """How many rows of the embedding a tokenizer may ask for."""
    numbers: dict[str, int] = tokenizer.backend_tokenizer.get_vocab()
    return 1 + max(numbers.values())


def add_marked_rows(model: Any, vocabulary: int, seed: int) -> None:
    """Give the model a second row for each of the ``vocabulary`` sub-words, the same for the same seed.

    A model that has them already, as one that was trained with them, keeps what they have learned.

    Raises:
        UserError: the model has fewer rows than sub-words.
    """
    import torch

    if getattr(model.config, MARKED, None) == vocabulary:
        return
    table = model.get_input_embeddings().weight.detach()[:vocabulary].clone()
    if len(table) < vocabulary:
        raise UserError(
            f"params.yaml: extractive_qa.mark_shared: the embedding of finetune.model has {len(table)} rows and its "
            f"tokenizer {vocabulary} sub-words; write false, or name a model whose tokenizer fits"
        )
    generator = torch.Generator().manual_seed(seed)
    mark = torch.randn(table.shape[1], generator=generator).to(table)
    mark *= SIZE * table.norm(dim=1).mean() / mark.norm()
    model.resize_token_embeddings(2 * vocabulary, mean_resizing=False)
    with torch.no_grad():
        model.get_input_embeddings().weight[vocabulary:] = table + mark
    setattr(model.config, MARKED, vocabulary)


def _words(text: str) -> list[tuple[str, int, int]]:
    """Words with a letter or digit, in lower case, with first character and character after the last."""
    found = ((text[start:end].lower(), start, end) for start, end in raw_text.words(text))
    return [(word, start, end) for word, start, end in found if any(map(str.isalnum, word))]
