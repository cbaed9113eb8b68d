"""Words to sub-words and back: no word is ever lost, however long the sentence or odd the word."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from tasks.adapters import Encoded
from tasks.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerFast

IGNORED = -100  # class index that PyTorch's cross-entropy leaves out


def encode_words(
    sentences: Sequence[Sequence[str]],
    labels: Sequence[Sequence[int]],
    tokenizer: "PreTrainedTokenizerFast",
    *,
    max_length: int,
    overlap: int,
    around: Callable[[int, int], tuple[list[int], list[int]]] | None = None,
) -> list[Encoded]:
    """Align words with sub-words and cover each sentence with windows.

    The first sub-word of a word carries its label; all others and the special ones carry IGNORED. A word without any
    sub-word (control characters only) is read as the unknown word. A sentence of more than ``max_length`` sub-words,
    special ones counted, becomes windows that share about ``overlap`` sub-words and start and end between words; each
    word is answered by the window in which it has most context on its shorter side. A single word that is longer than
    a window is cut after its first sub-words.

    Args:
        sentences: words of each sentence.
        labels: class index of each word, or IGNORED; same shape.
        tokenizer: a fast one, prepared by tasks.models.load_tokenizer.
        max_length: sub-words per window, special ones counted.
        overlap: sub-words that neighbouring windows share, at most; fewer where a word does not fit whole.
        around: ``(index of the sentence, free sub-words) -> (sub-words before it, after it)``: context, which is read
            and never answered, for sentences that fit into one window; None for no context.

    Returns:
        Windows in the order of the sentences. A sentence without words has none.

    Raises:
        UserError: max_length or overlap do not fit the tokenizer.
    """
    backend = tokenizer.backend_tokenizer
    prefix, suffix = special_ids(tokenizer)
    room = max_length - len(prefix) - len(suffix)
    if not 0 <= overlap < room:
        raise UserError(
            f"params.yaml: finetune.window_overlap: {overlap} leaves no room in windows of {max_length} sub-words; "
            f"write 0 to {room - 1}"
        )
    encodings = backend.encode_batch(
        [list(words) for words in sentences], is_pretokenized=True, add_special_tokens=False
    )
    windows = []
    for index, (words, classes, encoding) in enumerate(zip(sentences, labels, encodings, strict=True)):
        ids = encoding.ids
        starts = _first_subwords(encoding.word_ids, len(words))
        if -1 in starts:
            ids, starts = _with_unknown_words(tokenizer, words)
        if len(ids) <= room:
            before, after = around(index, room - len(ids)) if around else ([], [])
            edges = ([*prefix, *before], [*after, *suffix])
            windows.append(_window(index, edges[0], ids, edges[1], starts, classes, range(len(words)), 0))
            continue
        ends = [*starts[1:], len(ids)]
        spans = _cover(starts, ends, room, overlap)
        for (first, last), answered in zip(spans, _answered(spans, starts, ends, len(words)), strict=True):
            begin = starts[first]
            cut = ids[begin : min(ends[last - 1], begin + room)]
            windows.append(_window(index, prefix, cut, suffix, starts, classes, answered, begin))
    return windows


def special_ids(tokenizer: "PreTrainedTokenizerFast") -> tuple[list[int], list[int]]:
    """Ids that the tokenizer sets before and after a single text, e.g. ``([CLS], [SEP])``."""
    backend = tokenizer.backend_tokenizer
    bare = backend.encode(["a"], is_pretokenized=True, add_special_tokens=False).ids
    full = backend.encode(["a"], is_pretokenized=True, add_special_tokens=True).ids
    at = next(i for i in range(len(full)) if full[i : i + len(bare)] == bare)
    return full[:at], full[at + len(bare) :]


def merge_windows(
    sentence_lengths: Sequence[int], answers: Iterable[tuple[Encoded, "NDArray[np.float32]"]], classes: int
) -> "NDArray[np.float32]":
    """The rows of all words of all sentences one after the other, put together from the windows of each sentence.

    Args:
        sentence_lengths: number of words of each sentence.
        answers: windows with a row for each part, shape (parts of the window, classes).
        classes: number of classes.

    Returns:
        Shape (words of all sentences, classes); zeros for a word that no window answers.
    """
    import numpy as np

    starts = [0, *itertools.accumulate(sentence_lengths)]
    merged = np.zeros((starts[-1], classes), np.float32)
    for window, rows in answers:
        merged[[starts[window.example] + word for _, word in window.parts]] = rows
    return merged


def _first_subwords(word_ids: Sequence[int | None], count: int) -> list[int]:
    """Position of each word's first sub-word, -1 for a word that has none."""
    starts = [-1] * count
    before = None
    for position, word in enumerate(word_ids):
        if word != before:
            before = word
            if word is not None:
                starts[word] = position
    return starts


def _with_unknown_words(tokenizer: "PreTrainedTokenizerFast", words: Sequence[str]) -> tuple[list[int], list[int]]:
    unknown = tokenizer.unk_token_id if tokenizer.unk_token_id is not None else tokenizer.pad_token_id
    ids: list[int] = []
    starts = []
    encodings = tokenizer.backend_tokenizer.encode_batch(
        [[word] for word in words], is_pretokenized=True, add_special_tokens=False
    )
    for encoding in encodings:
        starts.append(len(ids))
        ids += encoding.ids or [unknown]
    return ids, starts


def _cover(starts: Sequence[int], ends: Sequence[int], room: int, overlap: int) -> list[tuple[int, int]]:
    """Word ranges (first, last + 1) of windows of at most ``room`` sub-words, or of one longer word."""
    spans = []
    first, count = 0, len(starts)
    while True:
        last = first + 1
        while last < count and ends[last] - starts[first] <= room:
            last += 1
        spans.append((first, last))
        if last == count:
            return spans
        following = last
        while following - 1 > first and ends[last - 1] - starts[following - 1] <= overlap:
            following -= 1
        first = following


def _answered(
    spans: Sequence[tuple[int, int]], starts: Sequence[int], ends: Sequence[int], count: int
) -> list[list[int]]:
    """For each window the words it answers: those that no other window sees with more context."""
    best = [(-1, 0)] * count
    for window, (first, last) in enumerate(spans):
        for word in range(first, last):
            left = starts[word] - starts[first] if first else ends[-1]
            right = ends[last - 1] - ends[word] if last < count else ends[-1]
            context = min(left, right)
            if context > best[word][0]:
                best[word] = (context, window)
    answered: list[list[int]] = [[] for _ in spans]
    for word, (_, window) in enumerate(best):
        answered[window].append(word)
    return answered


def _window(
    example: int,
    prefix: list[int],
    ids: list[int],
    suffix: list[int],
    starts: Sequence[int],
    classes: Sequence[int],
    words: Iterable[int],
    begin: int,
) -> Encoded:
    shift = len(prefix) - begin
    parts = [(starts[word] + shift, word) for word in words]
    labels = [IGNORED] * (len(prefix) + len(ids) + len(suffix))
    for position, word in parts:
        labels[position] = classes[word]
    return Encoded(example, [*prefix, *ids, *suffix], labels, parts)
