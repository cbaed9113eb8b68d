"""Running text to sub-words with their characters, and to windows: for tasks that read texts as they are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.encoding import special_ids
from tasks.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True, slots=True)
class Pieces:
    """A text as the model sees it, without special sub-words.

    Attributes:
        ids: sub-words.
        offsets: first character and character after the last of each.
    """

    ids: list[int]
    offsets: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around the sub-words of a text: special ones before and after, and the room between them."""

    before: list[int]
    after: list[int]
    room: int


def cut(texts: Sequence[str], tokenizer: "PreTrainedTokenizerFast") -> list[Pieces]:
    """Each text in sub-words."""
    encodings = tokenizer.backend_tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return [Pieces(encoding.ids, encoding.offsets) for encoding in encodings]


def frame(tokenizer: "PreTrainedTokenizerFast", max_length: int, overlap: int) -> Frame:
    """The frame of windows of ``max_length`` sub-words.

    Raises:
        UserError: they hold nothing, or the overlap takes all of it, or no special sub-word stands before a text.
    """
    before, after = special_ids(tokenizer)
    room = max_length - len(before) - len(after)
    if not 0 <= overlap < room:
        raise UserError(
            f"params.yaml: finetune.window_overlap: {overlap} leaves no room in windows of {max_length} sub-words; "
            f"write 0 to {room - 1}"
        )
    if not before:
        raise UserError(
            "params.yaml: finetune.model: its tokenizer sets nothing before a text, whose state this task reads; "
            "take an encoder such as BERT or RoBERTa"
        )
    return Frame(before, after, room)


def cover(count: int, room: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Ranges of at most ``room`` of ``count`` sub-words, neighbours sharing ``overlap``; one empty range for none."""
    start = 0
    while True:
        end = min(start + room, count)
        yield start, end
        if end == count:
            return
        start = end - overlap
