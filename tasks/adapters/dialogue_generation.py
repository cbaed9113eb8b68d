"""Dialogue by generation: the response to a history, written by an encoder-decoder."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from tasks import dialogues, text_to_text
from tasks.adapters import Adapter, Encoded, Likeness, Wording
from tasks.errors import UserError
from tasks.params import Generation, Positive, Scratch, Section
from tasks.records import ABOUT, Example, Row

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

BLOCK = "dialogue_generation"


class DialogueGeneration(Section):
    """The block ``dialogue_generation:`` of params.yaml."""

    format: Literal["auto", "sgd", "jsonl", "json", "parquet"]
    history_field: str
    response_field: str
    turns: Positive
    prefix: str
    scratch: Scratch
    generation: Generation


def source(name: str, options: DialogueGeneration) -> str:
    """The format of a raw file (tasks/dialogues.py)."""
    return dialogues.source(name, options, BLOCK)


def parse(row: Row, options: DialogueGeneration, _facts: dict[str, Any], repairs: Counter[str]) -> Example:
    """The turns so far and the response to them, on one line; service and act are kept for slices.

    Raises:
        Defect: no history, a turn without role or text, or no response.
    """
    history, response = dialogues.parse(row, options, BLOCK)
    about = {name: response[name] for name in ("service", "act")}
    written = text_to_text.one_line(response["text"], repairs)
    return Example(row.place, row.document, {"history": history, ABOUT: about}, [written])


def raw_items(row: Row, options: DialogueGeneration, _facts: dict[str, Any]) -> int:
    """One response, where there is a place for it."""
    return dialogues.raw_items(row, options)


def surround(examples: Iterable[Example], options: DialogueGeneration, _max_length: int) -> Iterator[Example]:
    """Each with the last turns of its history as one text, and ``prefix`` to stand before it."""
    for example in dialogues.last_turns(examples, options):
        text = " ".join(dialogues.as_text(example.inputs["history"]).split())
        yield replace(example, inputs={**example.inputs, "text": text, "prefix": options.prefix})


def encode(
    examples: Sequence[Example],
    tokenizer: "PreTrainedTokenizerFast",
    _classes: Sequence[str],
    max_length: int,
    _overlap: int,
) -> list[Encoded]:
    """One window per example; of a history that is longer than a window the end is read, behind the prefix."""
    return text_to_text.windows(
        [one.inputs.get("text", dialogues.as_text(one.inputs["history"])) for one in examples],
        [one.target[0] if one.target else "" for one in examples],
        tokenizer,
        max_length,
        [" ".join(one.inputs.get("prefix", "").split()) for one in examples],
    )


def read(text: str, name: str) -> Example:
    """A line of JSON with ``history``, turns with role and text.

    Raises:
        UserError: it is none.
    """
    history, _ = dialogues.asked(text)
    if not history:
        raise UserError(
            f"{text[:60]!r}: a response is written to a history; write a line "
            '{"history": [{"role": "user", "text": "..."}]}'
        )
    return Example(name, None, {"history": history, ABOUT: {"service": "", "act": ""}}, [])


def show(inputs: dict[str, Any], target: Sequence[str]) -> list[tuple[str, str | None]]:
    """The turns, and the response or what was written."""
    return [*dialogues.shown(inputs["history"]), *((text, text_to_text.ITEM) for text in target)]


def likeness(example: Example) -> Likeness:
    """The last turns: of other ends of a dialogue the responses are others."""
    return Likeness(dialogues.end_of(example.inputs["history"]))


adapter = Adapter(
    options=DialogueGeneration,
    source=source,
    parse=parse,
    raw_items=raw_items,
    items=text_to_text.items,
    wording=Wording(
        "history",
        "histories",
        "response",
        "responses",
        headline="chrF",
        rule="chrF is sacrebleu's over the whole split, divided by 100, upper and lower case alike: how many sequences "
        "of one to six characters the responses share with the gold ones.",
        sample='{"history": [{"role": "user", "text": "I need a table for two."}]}',
        written=True,
    ),
    classes=list,
    surround=surround,
    encode=encode,
    heads=("linear",),
    objective=text_to_text.objective,
    model=text_to_text.model,
    head=text_to_text.head,
    decode=text_to_text.decode,
    scorer="dialogue_generation",
    headline="chrf",
    read=read,
    answer=text_to_text.answer,
    show=show,
    likeness=likeness,
    scratch=text_to_text.scratch,
)
