"""Words to sub-words and back: no word is ever lost, however long the sentence or odd the word."""

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from tasks.adapters import Encoded
from tasks.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerFast

IGNORED = -100  # class index that PyTorch's cross-entropy leaves out
START, END, FIRST = 1, 2, 4  # bits of the labels of answers that are spans (tasks/objectives.py)
GROUP = 64  # words that the tokenizer gets as one text


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
    prefix, suffix = special_ids(tokenizer)
    room = max_length - len(prefix) - len(suffix)
    if not 0 <= overlap < room:
        raise UserError(
            f"params.yaml: finetune.window_overlap: {overlap} leaves no room in windows of {max_length} sub-words; "
            f"write 0 to {room - 1}"
        )
    pieces = word_pieces(sentences, tokenizer)
    windows = []
    for index, (words, classes) in enumerate(zip(sentences, labels, strict=True)):
        ids: list[int] = []
        starts = []
        for word in words:
            starts.append(len(ids))
            ids += pieces[word]
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


def word_pieces(sentences: Iterable[Sequence[str]], tokenizer: "PreTrainedTokenizerFast") -> dict[str, list[int]]:
    """Sub-word ids of each word that occurs; the unknown word's for one that has none.

    A tokenizer cuts each word of a text that comes in words for itself, so that each needs to be cut once.
    """
    unknown = tokenizer.unk_token_id if tokenizer.unk_token_id is not None else tokenizer.pad_token_id
    pieces: dict[str, list[int]] = {word: [] for words in sentences for word in words}
    words = list(pieces)
    groups = [words[start : start + GROUP] for start in range(0, len(words), GROUP)]
    encodings = tokenizer.backend_tokenizer.encode_batch(groups, is_pretokenized=True, add_special_tokens=False)
    for group, encoding in zip(groups, encodings, strict=True):
        for number, word in zip(encoding.ids, encoding.word_ids, strict=True):
            if word is not None:
                pieces[group[word]].append(number)
    for ids in pieces.values():
        if not ids:
            ids.append(unknown)
    return pieces


def special_ids(tokenizer: "PreTrainedTokenizerFast") -> tuple[list[int], list[int]]:
    """Ids that the tokenizer sets before and after a single text, e.g. ``([CLS], [SEP])``."""
    backend = tokenizer.backend_tokenizer
    bare = backend.encode(["a"], is_pretokenized=True, add_special_tokens=False).ids
    full = backend.encode(["a"], is_pretokenized=True, add_special_tokens=True).ids
    at = next(i for i in range(len(full)) if full[i : i + len(bare)] == bare)
    return full[:at], full[at + len(bare) :]


def merge_windows(
    lengths: Sequence[int], answers: Sequence[tuple[Encoded, "NDArray[np.float32]"]], fallback: "NDArray[np.float32]"
) -> tuple["NDArray[np.float32]", "NDArray[np.bool_]"]:
    """The probabilities of every word, put together from all windows, the sentences one after the other.

    Args:
        lengths: number of words of each sentence; n together.
        answers: windows with their probabilities, shape (parts of the window, classes).
        fallback: row of a word that no window answers, (classes,).

    Returns:
        Probabilities (n, classes), and which words a window answers (n,).
    """
    import numpy as np

    first = [0, *accumulate(lengths)]
    rows = np.tile(fallback, (first[-1], 1))
    answered = np.zeros(first[-1], dtype=np.bool_)
    places = [first[window.example] + word for window, _ in answers for _, word in window.parts]
    if places:
        rows[places] = np.concatenate([probabilities for _, probabilities in answers])
        answered[places] = True
    return rows, answered


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
