"""White space around punctuation: what BERT's tokenizer tore stands together again, other tokenizers are left alone."""

from pathlib import Path

import pytest

from tasks.models import load_tokenizer
from tasks.spacing import mended, torn


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("it ' s at 6 : 30 pm on 3 / 5.", "it's at 6:30 pm on 3/5."),
        ("it costs $ 25. 50, doesn ' t it?", "it costs $25.50, doesn't it?"),
        ("call 415 - 555 - 1234!", "call 415-555-1234!"),
        ("( 415 ) or 1, 000 ; e - mail : now", "(415) or 1,000; e-mail: now"),
        ("20 % of 3, 4 and 5", "20% of 3, 4 and 5"),
        ("the dogs ' house is here", "the dogs ' house is here"),
        ("", ""),
    ],
)
def test_what_was_torn_is_joined(text: str, whole: str) -> None:
    assert mended(text) == whole
    assert mended(whole) == whole


def test_a_sentence_survives_the_way_through_the_embedded_tokenizer() -> None:
    from tasks.models import EMBEDDED, resolve

    tokenizer = load_tokenizer(*resolve(EMBEDDED, "embedded"))
    text = "i'm sorry, the 6:30 pm table for 2 costs $25.50; it's at 415 pine-street (no. 3)."
    assert mended(tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True)) == text


def test_only_tokenizers_that_tear_are_mended(bert_folder: Path, roberta_folder: Path) -> None:
    bert, roberta = (load_tokenizer(str(folder), {}) for folder in (bert_folder, roberta_folder))
    bert.backend_tokenizer.decoder = load_decoder()
    assert torn(bert)
    assert not torn(roberta)


def load_decoder() -> object:
    from tokenizers import decoders

    return decoders.WordPiece()
