"""Text classification: one class per text (intent, sentiment, topic) or any number of them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from tasks import sources
from tasks.adapters import Adapter, Encoded, Likeness, Wording
from tasks.encoding import IGNORED
from tasks.errors import Defect
from tasks.params import Fraction, Section
from tasks.records import Example, Prediction, Row
from tasks.text_windows import cover, cut, frame

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch.nn import Module
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

BLOCK = "text_classification"
ENDINGS = {".txt": "lines", ".tsv": "tsv", "": "folder"}  # where others than those of every task are meant


class TextClassification(Section):
    """The block ``text_classification:`` of params.yaml."""

    format: Literal["auto", "csv", "tsv", "jsonl", "json", "parquet", "lines", "folder"]
    text_field: str
    label_field: str
    labels: Literal["one", "many"]
    separator: str
    threshold: Fraction


def source(name: str, options: TextClassification) -> str:
    """The format of a raw file: by its ending, unless params name one. A name without ending is a folder."""
    if options.format != "auto" and not sources.split_key(name)[1]:
        return options.format
    return sources.format_of(name, f"{BLOCK}.format", ENDINGS)


def parse(row: Row, options: TextClassification, _facts: dict[str, Any], repairs: Counter[str]) -> Example:
    """The text and its label, or its labels in order.

    Raises:
        Defect: a field is missing or empty, or holds no text.
    """
    text = _field(row, options, options.text_field)
    if not isinstance(text, str) or not text.strip():
        raise _defect(row, options, "no text", f"{options.text_field!r} holds {text!r}", "give it a text")
    labels = _labels(row, options)
    wrong = [label for label in labels if isinstance(label, bool) or not isinstance(label, str | int) or label == ""]
    if wrong or (options.labels == "one" and not labels):
        value = _found(row.fields, options.label_field)
        raise _defect(row, options, "no label", f"{options.label_field!r} holds {value!r}", "give it a label by name")
    repairs["a number as label was read as its name"] += sum(isinstance(label, int) for label in labels)
    repairs += Counter()  # without those that did not occur
    names = [str(label).strip() for label in labels]
    if options.labels == "one":
        if len(names) > 1:
            message = f"{len(names)} labels ({', '.join(names)})"
            raise _defect(row, options, "several labels", message, f"leave one, or set {BLOCK}.labels: many")
        return Example(row.place, row.document, {"text": text}, names[0])
    distinct = sorted(set(names))
    if len(distinct) < len(names):
        raise _defect(row, options, "doubled label", f"labels {', '.join(names)}", "name each label once")
    return Example(row.place, row.document, {"text": text}, distinct)


def raw_items(row: Row, options: TextClassification, _facts: dict[str, Any]) -> int:
    """Labels of a row in any state, counted without a look at what they are."""
    return len(_labels(row, options))


def items(target: str | list[str]) -> Counter[str]:
    """The label or the labels."""
    return Counter([target] if isinstance(target, str) else target)


def objective(options: TextClassification) -> str:
    """One class against the others, or each on its own."""
    return "classes" if options.labels == "one" else "label_sets"


def surround(examples: Iterable[Example], _options: TextClassification, _max_length: int) -> Iterator[Example]:
    """The examples as they are."""
    return iter(examples)


def encode(
    examples: Sequence[Example],
    tokenizer: "PreTrainedTokenizerFast",
    classes: Sequence[str],
    max_length: int,
    overlap: int,
) -> list[Encoded]:
    """Windows over each text, each with the text's label at its first sub-word; one not in train is not learned."""
    index = {name: number for number, name in enumerate(classes)}
    around = frame(tokenizer, max_length, overlap)
    windows = []
    for number, pieces in enumerate(cut([example.inputs["text"] for example in examples], tokenizer)):
        target = examples[number].target
        if isinstance(target, str):
            label = index.get(target, IGNORED)
        else:
            label = sum(1 << index[name] for name in target if name in index)
        for start, end in cover(len(pieces.ids), around.room, overlap):
            ids = [*around.before, *pieces.ids[start:end], *around.after]
            windows.append(Encoded(number, ids, [label, *[IGNORED] * (len(ids) - 1)], [(0, 0)]))
    return windows


def model(source: str, load: dict[str, Any], classes: Sequence[str]) -> "PreTrainedModel":
    """An encoder with transformers' own head over the first sub-word."""
    from transformers import AutoModelForSequenceClassification

    from tasks.models import load_encoder

    names = dict(enumerate(classes))
    made: PreTrainedModel = load_encoder(
        AutoModelForSequenceClassification,
        source,
        load,
        num_labels=len(classes),
        id2label=names,
        label2id={name: number for number, name in names.items()},
        attn_implementation="eager",
    )
    return made


def head(trained: Any) -> "Module":
    """What stands over the first hidden state of a text."""
    from tasks.first_state import text_head

    return text_head(trained)


def decode(
    examples: Sequence[Example],
    answers: Iterable[tuple[Encoded, "NDArray[np.float32]"]],
    classes: Sequence[str],
    options: TextClassification,
) -> list[Prediction]:
    """The most probable class, or all from the threshold on; of a long text by the mean over its windows.

    The confidence of a set of labels has a number for each label, or, for none, that of none being right: one minus
    the largest probability.
    """
    import numpy as np

    sums = np.zeros((len(examples), len(classes)))
    counts = np.zeros(len(examples))
    for window, rows in answers:
        sums[window.example] += rows[0]
        counts[window.example] += 1
    probabilities = sums / np.maximum(counts, 1)[:, None]
    found = []
    for example, row in zip(examples, probabilities.tolist(), strict=True):
        if options.labels == "many":
            chosen = [index for index, value in enumerate(row) if value >= options.threshold]
            sure = [row[index] for index in chosen] or [1 - max(row)]
            names = [classes[index] for index in chosen]
            found.append(Prediction(example.id, example.target, names, sure, example.document))
        else:
            best, *others = sorted(range(len(classes)), key=row.__getitem__, reverse=True)[:2]
            names, sure = [classes[index] for index in others], [row[index] for index in others]
            given = (classes[best], [row[best]], example.document, names, sure)
            found.append(Prediction(example.id, example.target, *given))
    return found


def read(text: str, name: str) -> Example:
    """The text as it is."""
    return Example(name, None, {"text": text}, "")


def answer(text: str, _example: Example, prediction: Prediction) -> list[dict[str, Any]]:
    """The labels, each of the whole text."""
    labels = [prediction.predicted] if isinstance(prediction.predicted, str) else prediction.predicted
    return [
        {"start": 0, "end": len(text), "label": label, "text": text, "confidence": round(sure, 6)}
        for label, sure in zip(labels, prediction.confidence, strict=False)  # one number stands for no label
    ]


def show(inputs: dict[str, Any], target: str | list[str]) -> list[tuple[str, str | None]]:
    """The text with its labels."""
    return [(inputs["text"], (target if isinstance(target, str) else ", ".join(target)) or None)]


def _field(row: Row, options: TextClassification, name: str) -> Any:
    if name.partition(".")[0] not in row.fields and name not in row.fields:
        there = ", ".join(map(str, row.fields)) or "none"
        raise _defect(
            row,
            options,
            "missing field",
            f"no field {name!r}; there are: {there}",
            f"set {BLOCK}.text_field and label_field",
        )
    return _found(row.fields, name)


def _found(fields: Any, name: str) -> Any:
    """What stands under ``name``; dots lead into objects, in a list into each, whose values then count once."""
    if isinstance(fields, dict) and name in fields:
        return fields[name]
    first, dot, rest = name.partition(".")
    inner = fields.get(first) if isinstance(fields, dict) and dot else None
    if not isinstance(inner, list):
        return None if inner is None else _found(inner, rest)
    values = [_found(part, rest) for part in inner]
    return [value for number, value in enumerate(values) if value is not None and value not in values[:number]]


def _labels(row: Row, options: TextClassification) -> list[Any]:
    """What stands where labels should, as far as it can be told apart."""
    value = _found(row.fields, options.label_field)
    if isinstance(value, str):
        parts = value.split(options.separator) if options.labels == "many" else [value]
        return [part.strip() for part in parts if part.strip()]
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _defect(row: Row, options: TextClassification, kind: str, message: str, remedy: str) -> Defect:
    return Defect(kind, row.place, message, remedy, len(_labels(row, options)))


adapter = Adapter(
    options=TextClassification,
    source=source,
    parse=parse,
    raw_items=raw_items,
    items=items,
    wording=Wording(
        "text",
        "texts",
        "label",
        "labels",
        headline="macro F1",
        rule="A label counts when the text has it. Macro F1 is the mean of the F1 of all labels that gold has.",
        sample="My card has still not arrived.",
    ),
    classes=list,
    surround=surround,
    encode=encode,
    heads=("linear", "mlp"),
    objective=objective,
    model=model,
    head=head,
    decode=decode,
    scorer="classes",
    headline="macro_f1",
    read=read,
    answer=answer,
    show=show,
    likeness=lambda example: Likeness(example.inputs["text"]),
)
