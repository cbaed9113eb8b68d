"""Relation extraction: the relation between two marked spans of a text, or that there is none."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from tasks import sources
from tasks.adapters import Adapter, Encoded, Likeness, Wording
from tasks.encoding import IGNORED
from tasks.errors import Defect, UserError
from tasks.params import Section
from tasks.records import Example, Prediction, Row
from tasks.text_windows import frame

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch.nn import Module
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

BLOCK = "relation_extraction"
MARKS = ("@", "#")  # set before and after the first and the second span: tokens that every encoder knows
TAGS = re.compile(r"</?e[12]>")
MARKED = {number: re.compile(rf"<e{number}>(.*?)</e{number}>", re.S) for number in (1, 2)}

Span = tuple[int, int]  # first character, character after the last


class RelationExtraction(Section):
    """The block ``relation_extraction:`` of params.yaml."""

    format: Literal["auto", "semeval", "jsonl", "json", "parquet"]
    text_field: str
    label_field: str
    first_field: str
    second_field: str
    offsets: Literal["characters", "tokens", "tokens_inclusive"]


def source(name: str, options: RelationExtraction) -> str:
    """The format of a raw file: by its ending, unless params name one; .txt is SemEval's."""
    if options.format != "auto" and not sources.split_key(name)[1]:
        return options.format
    return sources.format_of(name, f"{BLOCK}.format", {".txt": "semeval"})


def parse(row: Row, options: RelationExtraction, _facts: dict[str, Any], repairs: Counter[str]) -> Example:
    """Text, the characters of both spans, and the relation.

    Raises:
        Defect: no relation, no text, or a span that is missing, doubled, empty or outside the text.
    """
    label = row.fields.get(options.label_field)
    if not isinstance(label, str) or not label.strip():
        remedy = f"write one, or set {BLOCK}.label_field"
        raise _defect(row, options, "no relation", f"{options.label_field!r} holds {label!r}", remedy)
    value = row.fields.get(options.text_field)
    if isinstance(value, str) and TAGS.search(value):
        text, spans = _from_marks(row, options, value)
    elif options.offsets == "characters":
        if not isinstance(value, str) or not value.strip():
            raise _defect(row, options, "no text", f"{options.text_field!r} holds {value!r}", "give it a text")
        text, spans = value, [_bounds(row, options, name) for name in (options.first_field, options.second_field)]
    else:
        text, spans = _from_tokens(row, options, value)
    names = ("first", "second")
    trimmed = []
    for name, (start, end) in zip(names, spans, strict=True):
        if not 0 <= start <= end <= len(text):
            message = f"the {name} span {start} to {end} lies outside the text of {len(text)} characters"
            raise _defect(row, options, "span outside the text", message, "mend its offsets")
        inside = text[start:end]
        if not inside.strip():
            message = f"the {name} span {start} to {end} holds no characters"
            raise _defect(row, options, "empty span", message, "mend its offsets or marks")
        if inside != inside.strip():
            repairs["white space at the edge of a span was left out"] += 1
        trimmed.append([end - len(inside.lstrip()), start + len(inside.rstrip())])
    return Example(row.place, row.document, {"text": text, **dict(zip(names, trimmed, strict=True))}, label.strip())


def raw_items(row: Row, options: RelationExtraction, _facts: dict[str, Any]) -> int:
    """One relation, where anything stands in its place."""
    return int(bool(row.fields.get(options.label_field)))


def items(target: str) -> Counter[str]:
    """The relation; that of none is one, too."""
    return Counter([target])


def surround(examples: Iterable[Example], _options: RelationExtraction, _max_length: int) -> Iterator[Example]:
    """The examples as they are."""
    return iter(examples)


def encode(
    examples: Sequence[Example],
    tokenizer: "PreTrainedTokenizerFast",
    classes: Sequence[str],
    max_length: int,
    overlap: int,
) -> list[Encoded]:
    """One window per text, with marks around both spans (Zhou and Chen 2022, without types).

    The head reads the marks before the spans, the first span's first. A text that is too long is cut around the spans;
    where these are too far apart, what lies between them is left out.
    """
    index = {name: number for number, name in enumerate(classes)}
    around = frame(tokenizer, max_length, overlap)
    segments = [_segments(example.inputs) for example in examples]
    encodings = tokenizer.backend_tokenizer.encode_batch(
        [list(texts) for texts, _ in segments], is_pretokenized=True, add_special_tokens=False
    )
    windows = []
    for number, ((_, openings), encoding) in enumerate(zip(segments, encodings, strict=True)):
        places = [encoding.word_ids.index(opening) for opening in openings]
        kept = _kept(len(encoding.ids), sorted(places), around.room)
        ids = [*around.before, *(encoding.ids[place] for place in kept), *around.after]
        rows = [len(around.before) + kept.index(place) for place in places]
        labels = [IGNORED] * len(ids)
        labels[rows[0]] = index.get(examples[number].target, IGNORED)
        windows.append(Encoded(number, ids, labels, [(rows[0], 0), (rows[1], 1)]))
    return windows


def model(source: str, load: dict[str, Any], classes: Sequence[str]) -> "PreTrainedModel":
    """An encoder without pooler; transformers has no head over two places, so hone's own is put on it."""
    from transformers import AutoModelForTokenClassification

    from tasks.models import load_encoder

    made: PreTrainedModel = load_encoder(
        AutoModelForTokenClassification, source, load, num_labels=len(classes), attn_implementation="eager"
    )
    return made


def head(trained: Any) -> "Module":
    """The head over the joined states of both marks."""
    layer: Module = trained.classifier
    return layer


def decode(
    examples: Sequence[Example],
    answers: Iterable[tuple[Encoded, "NDArray[np.float32]"]],
    classes: Sequence[str],
    options: RelationExtraction,  # noqa: ARG001 the contract's
) -> list[Prediction]:
    """The most probable relation, and the next one."""
    found = []
    for window, rows in answers:
        example, row = examples[window.example], rows[0].tolist()
        best, *others = sorted(range(len(classes)), key=lambda index: -row[index])
        second = others[:1]
        found.append(
            Prediction(
                example.id,
                example.target,
                classes[best],
                [row[best]],
                example.document,
                [classes[index] for index in second],
                [row[index] for index in second],
            )
        )
    return found


def read(text: str, name: str) -> Example:
    """A text whose two spans are marked ``<e1>...</e1>`` and ``<e2>...</e2>``.

    Raises:
        UserError: a mark is missing or doubled.
    """
    spans = _marks(text)
    if isinstance(spans, str):
        raise UserError(f"{text[:60]!r}: {spans}; write <e1>...</e1> and <e2>...</e2> around the two spans")
    plain, (first, second) = spans
    return Example(name, None, {"text": plain, "first": list(first), "second": list(second)}, "")


def answer(text: str, _example: Example, prediction: Prediction) -> list[dict[str, Any]]:
    """The relation, of the whole text."""
    sure = round(prediction.confidence[0], 6)
    return [{"start": 0, "end": len(text), "label": prediction.predicted, "text": text, "confidence": sure}]


def show(inputs: dict[str, Any], target: str) -> list[tuple[str, str | None]]:
    """The text with the relation at its first span and a mark at the second."""
    spans = sorted([(*inputs["first"], target), (*inputs["second"], "2nd")])
    if spans[1][0] < spans[0][1]:  # one within the other
        return [(inputs["text"], target or None)]
    runs: list[tuple[str, str | None]] = []
    last = 0
    for start, end, label in spans:
        runs += [(inputs["text"][last:start], None), (inputs["text"][start:end], label or None)]
        last = end
    runs.append((inputs["text"][last:], None))
    return [(text, label) for text, label in runs if text]


def likeness(example: Example) -> Likeness:
    """The text from one span to the end of the other: what stands between them says most about how they relate."""
    spans = (example.inputs["first"], example.inputs["second"])
    return Likeness(example.inputs["text"][min(map(min, spans)) : max(map(max, spans))])


def _segments(inputs: dict[str, Any]) -> tuple[list[str], list[int]]:
    """The text in pieces with marks between them, and the numbers of the marks that open the two spans."""
    text = inputs["text"]
    spans = [tuple(inputs[name]) for name in ("first", "second")]
    # at one place spans close before others open, and the one within the other opens later and closes earlier
    edges = sorted(
        [(end, 0, -start, -number) for number, (start, end) in enumerate(spans)]
        + [(start, 1, -end, number) for number, (start, end) in enumerate(spans)]
    )
    pieces: list[str] = []
    openings = [0, 0]
    last = 0
    for place, opens, _, signed in edges:
        number = abs(signed)
        if text[last:place].strip():
            pieces.append(text[last:place])
        if opens:
            openings[number] = len(pieces)
        pieces.append(MARKS[number])
        last = place
    if text[last:].strip():
        pieces.append(text[last:])
    return pieces, openings


def _kept(count: int, marks: Sequence[int], room: int) -> list[int]:
    """The sub-words that are read, in order: all, or those around the two marks, at most ``room``.

    Args:
        marks: places of the two opening marks, in order.
    """
    first, second = marks
    if count <= room:
        return list(range(count))
    half = room // 2
    if second - first < half:
        start = max(0, min(first - (room - (second - first)) // 2, count - room))
        return list(range(start, start + room))
    left = min(max(0, first - half // 4), count - room)
    right = max(left + half, min(second - (room - half) // 4, count - (room - half)))
    return list(itertools.chain(range(left, left + half), range(right, right + room - half)))


def _marks(text: str) -> tuple[str, list[Span]] | str:
    """The text without marks and both spans, or what is wrong."""
    spans = []
    for number, pattern in MARKED.items():
        found = pattern.findall(text)
        if len(found) != 1 or len(re.findall(f"</?e{number}>", text)) != 2:
            return f"mark e{number} is {'doubled or not closed' if f'e{number}>' in text else 'missing'}"
        match = pattern.search(text)
        if match is not None:
            spans.append((len(TAGS.sub("", text[: match.start(1)])), len(TAGS.sub("", text[: match.end(1)]))))
    return TAGS.sub("", text), spans


def _from_marks(row: Row, options: RelationExtraction, text: str) -> tuple[str, list[Span]]:
    found = _marks(text)
    if isinstance(found, str):
        raise _defect(row, options, "broken marks", found, "write <e1>...</e1> and <e2>...</e2> once each")
    return found


def _from_tokens(row: Row, options: RelationExtraction, tokens: Any) -> tuple[str, list[Span]]:
    if not isinstance(tokens, list) or not tokens or not all(isinstance(token, str) for token in tokens):
        message = f"{options.text_field!r} holds {str(tokens)[:40]!r}, which is no list of tokens"
        raise _defect(row, options, "no text", message, f"give it tokens, or set {BLOCK}.offsets: characters")
    starts = [0, *itertools.accumulate(len(token) + 1 for token in tokens)]
    spans = []
    for name in (options.first_field, options.second_field):
        start, end = _bounds(row, options, name)
        end += options.offsets == "tokens_inclusive"
        if not 0 <= start < end <= len(tokens):
            message = f"{name!r} from token {start} to {end} is not within the {len(tokens)} tokens, or empty"
            raise _defect(
                row, options, "span outside the text", message, f"mend it; {BLOCK}.offsets says how they count"
            )
        spans.append((starts[start], starts[end] - 1))
    return " ".join(tokens), spans


def _bounds(row: Row, options: RelationExtraction, name: str) -> Span:
    """Start and end of a span: an object or list in the field ``name``, or in ``name_start`` and ``name_end``."""
    value = row.fields.get(name, [row.fields.get(f"{name}_start"), row.fields.get(f"{name}_end")])
    if isinstance(value, dict):
        value = [value.get("start"), value.get("end")]
    if not isinstance(value, list) or [type(part) for part in value] != [int, int]:
        remedy = f'write {{"start": 0, "end": 6}}, mark the text, or set {BLOCK}.first_field and second_field'
        raise _defect(row, options, "missing span", f"{name!r} holds {str(value)[:40]!r}", remedy)
    return value[0], value[1]


def _defect(row: Row, options: RelationExtraction, kind: str, message: str, remedy: str) -> Defect:
    return Defect(kind, row.place, message, remedy, raw_items(row, options, {}))


adapter = Adapter(
    options=RelationExtraction,
    source=source,
    parse=parse,
    raw_items=raw_items,
    items=items,
    wording=Wording(
        "text",
        "texts",
        "relation",
        "relations",
        headline="relation macro F1",
        rule="A relation counts when its name and its direction are right. Macro F1 is the mean of the F1 of all "
        "relations, that of no relation left out.",
        sample="The <e1>fire</e1> was caused by <e2>lightning</e2>.",
    ),
    classes=list,
    surround=surround,
    encode=encode,
    heads=("linear", "mlp"),
    objective=lambda _options: "pairs",
    model=model,
    head=head,
    decode=decode,
    scorer="relations",
    headline="relation_f1",
    read=read,
    answer=answer,
    show=show,
    likeness=likeness,
)
