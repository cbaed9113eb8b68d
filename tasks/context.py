"""Sentences of the same document as context: what stands before and after fills the room that a window has left.

After FLERT (Schweter and Akbik 2020). Context is read and never answered: each word is trained and scored once, in its
own sentence.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from tasks.records import Example

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

Words = list[str]
Around = Callable[[int, int], tuple[list[int], list[int]]]
Pieces = tuple[list[int], list[bool]]  # sub-words, and whether each begins a word


def surround(examples: Iterable[Example], reach: int) -> Iterator[Example]:
    """Examples with their neighbours as inputs ``before`` and ``after``: lists of sentences, the nearest first.

    Neighbours are the sentences that stand before and after in the same file and document, as far as these examples
    hold them, so that none comes from another split. An example without a document stays as it is. Memory holds no
    more than the neighbours of one sentence.

    Args:
        reach: words on each side after which no more sentences are taken.
    """
    for document, members in groupby(examples, _document):
        if document is None:
            yield from members
        else:
            yield from _surround(members, reach)


def around(examples: Sequence[Example], tokenizer: "PreTrainedTokenizerFast") -> Around | None:
    """``(index of the example, free sub-words) -> (sub-words before it, sub-words after it)``; None without context.

    Both sides get the same share of the room, or what the other side does not need. Words are taken whole.
    """
    sentences = {
        id(words): words
        for example in examples
        for side in ("before", "after")
        for words in example.inputs.get(side, ())
    }
    if not sentences:
        return None
    encoded = tokenizer.backend_tokenizer.encode_batch(
        list(sentences.values()), is_pretokenized=True, add_special_tokens=False
    )
    pieces: dict[int, Pieces] = {}
    for key, encoding in zip(sentences, encoded, strict=True):
        numbers = encoding.word_ids
        starts = [place == 0 or numbers[place - 1] != number for place, number in enumerate(numbers)]
        pieces[key] = (encoding.ids, starts)

    def fill(index: int, room: int) -> tuple[list[int], list[int]]:
        inputs = examples[index].inputs
        before = [pieces[id(words)] for words in inputs.get("before", ())]
        after = [pieces[id(words)] for words in inputs.get("after", ())]
        left, right = shares(sum(len(ids) for ids, _ in before), sum(len(ids) for ids, _ in after), room)
        return _last(before[::-1], left), _first(after, right)

    return fill


def shares(left: int, right: int, room: int) -> tuple[int, int]:
    """How many of ``left`` and ``right`` sub-words fit into ``room``: half each, or what the other does not need."""
    first = min(left, max(room // 2, room - right))
    return first, min(right, room - first)


def _document(example: Example) -> tuple[str, str] | None:
    file, _, _ = example.id.rpartition(":")
    return None if example.document is None else (file, example.document)


def _surround(document: Iterable[Example], reach: int) -> Iterator[Example]:
    before: deque[Words] = deque()  # the nearest first
    waiting: deque[Example] = deque()  # until enough words after the first of them are known
    known = behind = 0  # words of waiting, words of before

    def give() -> Example:
        nonlocal known, behind
        example = waiting.popleft()
        words = example.inputs["words"]
        after = _within([other.inputs["words"] for other in waiting], reach)
        given = replace(example, inputs={**example.inputs, "before": list(before), "after": after})
        known -= len(words)
        before.appendleft(words)
        behind += len(words)
        while behind - len(before[-1]) >= reach:
            behind -= len(before.pop())
        return given

    for example in document:
        waiting.append(example)
        known += len(example.inputs["words"])
        while known - len(waiting[0].inputs["words"]) >= reach:
            yield give()
    while waiting:
        yield give()


def _within(sentences: Iterable[Words], reach: int) -> list[Words]:
    """The first of the sentences, until they hold ``reach`` words."""
    taken: list[Words] = []
    count = 0
    for words in sentences:
        if count >= reach:
            break
        taken.append(words)
        count += len(words)
    return taken


def _first(sentences: Iterable[Pieces], room: int) -> list[int]:
    """The first whole words of the sentences that fit into ``room`` sub-words."""
    ids, starts = _joined(sentences)
    end = min(room, len(ids))
    while 0 < end < len(ids) and not starts[end]:
        end -= 1
    return ids[:end]


def _last(sentences: Iterable[Pieces], room: int) -> list[int]:
    """The last whole words of the sentences that fit into ``room`` sub-words."""
    ids, starts = _joined(sentences)
    begin = max(0, len(ids) - room)
    while begin < len(ids) and not starts[begin]:
        begin += 1
    return ids[begin:]


def _joined(sentences: Iterable[Pieces]) -> Pieces:
    ids: list[int] = []
    starts: list[bool] = []
    for more, begins in sentences:
        ids += more
        starts += begins
    return ids, starts
