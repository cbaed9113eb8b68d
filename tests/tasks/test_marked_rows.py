"""Marked sub-words: which they are, that they have rows of their own, and that a saved model keeps them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModel

from tasks import models
from tasks.adapters.extractive_qa import adapter, encode
from tasks.errors import UserError
from tasks.marked_rows import SIZE, add_marked_rows, marked, vocabulary_of
from tasks.params_file import check
from tasks.records import Example
from tasks.yaml_files import read_yaml

ROOT = Path(__file__).parents[2]
LOAD = {"use_safetensors": True, "trust_remote_code": False, "local_files_only": True}
CONTEXT = "Merkel visited Graz in Nagoya 国"


def test_words_that_the_question_has_are_marked_in_any_case_and_marks_of_sentences_never() -> None:
    text, pieces = "In Graz.", [(0, 2), (3, 5), (5, 7), (7, 8)]
    assert marked([5, 6, 7, 8], pieces, text, "Was it GRAZ.", 100) == [5, 106, 107, 8]
    assert marked([5, 6, 7, 8], pieces, text, "Gra za", 100) == [5, 6, 7, 8]


def test_a_sub_word_may_hold_the_space_before_its_word() -> None:
    assert marked([5, 6, 7], [(0, 2), (2, 7), (7, 8)], "In Graz.", "Graz", 100) == [5, 106, 7]


def test_chinese_characters_match_one_by_one_and_unknown_ones_too() -> None:
    assert marked([1, 1, 1], [(0, 1), (1, 2), (2, 3)], "中国人", "国家是?", 100) == [1, 101, 1]


def test_windows_mark_the_text_and_not_the_question_where_params_say_so(bert_folder: Path) -> None:
    tokenizer = models.load_tokenizer(str(bert_folder), LOAD)
    values = read_yaml(ROOT / "params.yaml")["extractive_qa"]
    example = Example("a:1", None, {"question": "Graz 国 Merkel", "context": CONTEXT}, [{"start": 15, "text": "Graz"}])
    read = {}
    for mark in (False, True):
        own = check(adapter.options, values | {"mark_shared": mark}, Path("params.yaml"))
        read[mark] = encode(list(adapter.surround([example], own, 20)), tokenizer, ["start", "end"], 20, 4)[0]
    pairs = list(zip(read[False].input_ids, read[True].input_ids, strict=True))
    count = vocabulary_of(tokenizer)
    assert [tokenizer.convert_ids_to_tokens(plain) for plain, now in pairs if now == plain + count] == [
        "merkel",
        "graz",
        tokenizer.unk_token,
    ]
    assert all(now in (plain, plain + count) for plain, now in pairs)
    assert read[False].labels == read[True].labels


def rows(folder: Path, seed: int) -> Any:
    model = models.load_model(AutoModel, str(folder), LOAD)
    add_marked_rows(model, model.config.vocab_size, seed)
    return model


def test_second_rows_are_the_first_and_one_vector_by_seed(bert_folder: Path, tmp_path: Path) -> None:
    model = rows(bert_folder, 1)
    table = model.get_input_embeddings().weight.detach()
    first, second = table.chunk(2)
    assert torch.equal(first, models.load_model(AutoModel, str(bert_folder), LOAD).get_input_embeddings().weight)
    torch.testing.assert_close(second - first, (second - first)[:1].expand_as(first))
    torch.testing.assert_close((second - first)[0].norm(), SIZE * first.norm(dim=1).mean())
    assert torch.equal(rows(bert_folder, 1).get_input_embeddings().weight, table)
    assert not torch.equal(rows(bert_folder, 2).get_input_embeddings().weight, table)
    model.save_pretrained(tmp_path)
    assert torch.equal(models.load_model(AutoModel, str(tmp_path), LOAD).get_input_embeddings().weight, table)


def test_rows_that_a_model_was_trained_with_stay(bert_folder: Path, tmp_path: Path) -> None:
    model = rows(bert_folder, 1)
    with torch.no_grad():
        model.get_input_embeddings().weight.add_(1.0)
    learned = model.get_input_embeddings().weight.detach().clone()
    model.save_pretrained(tmp_path)
    again = models.load_model(AutoModel, str(tmp_path), LOAD)
    add_marked_rows(again, len(learned) // 2, 2)
    assert torch.equal(again.get_input_embeddings().weight, learned)


def test_an_embedding_that_is_smaller_than_the_vocabulary_is_refused(bert_folder: Path) -> None:
    model = models.load_model(AutoModel, str(bert_folder), LOAD)
    with pytest.raises(UserError, match=r"extractive_qa\.mark_shared: the embedding .* has \d+ rows and its tokenizer"):
        add_marked_rows(model, model.config.vocab_size + 1, 1)
