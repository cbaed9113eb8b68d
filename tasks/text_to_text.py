"""What tasks share that write a text for a text: their rows, windows, model, answers, and how they are shown.

The target of an example is the list of its references, the predicted one a list of the one text that was written.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tasks.adapters import Encoded, Written
from tasks.encoding import special_ids
from tasks.errors import Defect, UserError
from tasks.params import Generation, Scratch
from tasks.records import Example, Prediction, Row

if TYPE_CHECKING:
    from torch.nn import Module
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

ITEM = "reference"  # the label of every gold item
BREAK = "a line break inside a text was read as a space"


class Options(Protocol):
    """What the blocks of these tasks have in common."""

    @property
    def source_field(self) -> str: ...
    @property
    def target_field(self) -> str: ...
    @property
    def prefix(self) -> str: ...
    @property
    def scratch(self) -> Scratch: ...
    @property
    def generation(self) -> Generation: ...


def value(row: Row, name: str) -> Any:
    """The field ``name``, in which dots lead into objects (``translation.en``); None where there is none."""
    found: Any = row.fields.get(name)
    if found is None and "." in name:
        found = row.fields
        for part in name.split("."):
            found = found.get(part) if isinstance(found, dict) else None
    return found


def references(row: Row, options: Options) -> list[Any]:
    """Whatever stands as target: one text, or a list of them."""
    found = value(row, options.target_field)
    if found is None:
        return []
    return list(found) if isinstance(found, list | tuple) else [found]


def raw_items(row: Row, options: Options, _facts: dict[str, Any]) -> int:
    """References of a row in any state."""
    return len(references(row, options))


def items(target: Sequence[str]) -> Counter[str]:
    """The references."""
    return Counter({ITEM: len(target)})


def parse(
    row: Row, options: Options, repairs: Counter[str], join: Callable[[Any], Any] = lambda found: found
) -> Example:
    """A source and its references, each on one line.

    Args:
        join: what is done to the source before it is looked at.

    Raises:
        Defect: a side is missing, empty, or no text.
    """
    source = join(value(row, options.source_field))
    targets = references(row, options)
    for name, texts in ((options.source_field, [source]), (options.target_field, targets or [None])):
        for text in texts:
            if not isinstance(text, str) or not text.strip():
                kind = "empty text" if isinstance(text, str) else "no text"
                message = f"{name!r} holds {str(text)[:60]!r}"
                raise Defect(kind, row.place, message, "give it a text, or take the row out", len(targets))
    mended = [one_line(text, repairs) for text in targets]
    return Example(row.place, row.document, {"text": source.strip()}, mended)


def one_line(text: str, repairs: Counter[str]) -> str:
    """The text without line breaks; what had some is counted."""
    lines = text.strip().splitlines()
    if len(lines) > 1:
        repairs[BREAK] += 1
    return " ".join(line.strip() for line in lines)


def objective(_options: Options) -> str:
    """The whole model is trained to write the first reference."""
    return "sequences"


def surround(examples: Iterable[Example], options: Options, _max_length: int) -> Iterator[Example]:
    """The examples with ``prefix`` before their text."""
    if not options.prefix:
        yield from examples
        return
    for one in examples:
        inputs = {**one.inputs, "text": options.prefix + one.inputs["text"]}
        yield Example(one.id, one.document, inputs, one.target)


def encode(
    examples: Sequence[Example],
    tokenizer: "PreTrainedTokenizerFast",
    _classes: Sequence[str],
    max_length: int,
    _overlap: int,
) -> list[Encoded]:
    """One window per example; its labels are the sub-words of the first reference with the special ones around it.

    What lies beyond ``max_length`` sub-words of a source is not read, and beyond so many of a reference not learned.
    """
    return windows(
        [" ".join(one.inputs["text"].split()) for one in examples],
        [one.target[0] if one.target else "" for one in examples],
        tokenizer,
        max_length,
    )


def windows(
    texts: Sequence[str],
    references: Sequence[str],
    tokenizer: "PreTrainedTokenizerFast",
    max_length: int,
    leads: Sequence[str] | None = None,
) -> list[Encoded]:
    """A window for each text and what is to be written for it.

    Args:
        leads: what stands before each text in any case; of a text that is too long the end is then read and not the
            beginning.

    Raises:
        UserError: there is no room for a sub-word of a text.
    """
    before, after = special_ids(tokenizer)
    sources, targets = _pieces(texts, tokenizer), _pieces(references, tokenizer)
    heads: list[list[int]] = [[]] * len(texts) if leads is None else _pieces(leads, tokenizer)
    made = []
    for number, (head, source, target) in enumerate(zip(heads, sources, targets, strict=True)):
        room = max_length - len(before) - len(head) - len(after)
        if room < 1:
            raise UserError(f"params.yaml: finetune.max_length: {max_length} holds no sub-word of a text; write more")
        kept = source[:room] if leads is None else source[-room:]
        made.append(Encoded(number, [*before, *head, *kept, *after], [*before, *target, *after][:max_length], []))
    return made


def _pieces(texts: Sequence[str], tokenizer: "PreTrainedTokenizerFast") -> list[list[int]]:
    encodings = tokenizer.backend_tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return [encoding.ids for encoding in encodings]


def model(source: str, load: dict[str, Any], _classes: Sequence[str]) -> "PreTrainedModel":
    """An encoder-decoder; see tasks/encoder_decoders.py."""
    from tasks import encoder_decoders

    return encoder_decoders.load(source, load)


def scratch(folder: Path, train: Sequence[Example], options: Options, max_length: int, seed: int) -> None:
    """A small new encoder-decoder with a tokenizer trained on the texts and references of train.

    Raises:
        UserError: its heads do not divide its width.
    """
    from tasks.encoder_decoders import write_small

    own = options.scratch
    if own.width % own.heads:
        raise UserError(f"params.yaml: scratch.heads: {own.heads} does not divide scratch.width: {own.width}")
    write_small(
        folder,
        [text for one in train for text in (one.inputs["text"], *one.target)],
        vocabulary=own.vocabulary,
        width=own.width,
        layers=own.layers,
        heads=own.heads,
        positions=max(max_length, options.generation.max_new_tokens),
        seed=seed,
    )


def head(_trained: Any) -> "Module | None":
    """None: the whole model is trained."""
    return None


def decode(
    examples: Sequence[Example],
    answers: Iterable[tuple[Encoded, Written]],
    _classes: Sequence[str],
    _options: Options,
) -> list[Prediction]:
    """What was written for each example."""
    found = {window.example: answer for window, answer in answers}
    return [
        Prediction(one.id, one.target, [found[number].text], [found[number].confidence], one.document)
        for number, one in enumerate(examples)
    ]


def read(text: str, name: str) -> Example:
    """The text as it is."""
    return Example(name, None, {"text": text}, [])


def answer(text: str, _example: Example, prediction: Prediction) -> list[dict[str, Any]]:
    """What was written for the whole text, as its ``label``."""
    (written,), (sure,) = prediction.predicted, prediction.confidence
    return [{"start": 0, "end": len(text), "label": written, "text": text, "confidence": round(sure, 6)}]


def show(inputs: dict[str, Any], target: Sequence[str]) -> list[tuple[str, str | None]]:
    """The text, and each reference or what was written."""
    return [(" ".join(inputs["text"].split()), None), *((text, ITEM) for text in target)]
