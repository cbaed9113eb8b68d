"""Extractive question answering: the piece of a text that answers a question, or none."""

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from tasks import sources
from tasks.adapters import Adapter, Encoded, Likeness, Wording
from tasks.encoding import END, FIRST, IGNORED, START
from tasks.errors import Defect, UserError
from tasks.marked_rows import add_marked_rows, marked, vocabulary_of
from tasks.params import Positive, Section
from tasks.records import Example, Prediction, Row
from tasks.text_windows import cover, cut, frame

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch.nn import Module
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

BLOCK = "extractive_qa"
SENTENCE_ENDS = re.compile(r"(?<=[。！？])|(?<=[.!?])\s+|\n+")
Answer = dict[str, Any]  # {"start": first character, "text": ...}


class ExtractiveQA(Section):
    """The block ``extractive_qa:`` of params.yaml."""

    format: Literal["auto", "squad", "jsonl", "parquet"]
    question_field: str
    context_field: str
    answers_field: str
    unanswerable: bool
    no_answer_margin: float
    max_answer: Positive
    n_best: Annotated[int, Field(ge=2)]
    mark_shared: bool


def source(name: str, options: ExtractiveQA) -> str:
    """The format of a raw file: by its ending, unless params name one; .json is SQuAD's."""
    if options.format != "auto" and not sources.split_key(name)[1]:
        return options.format
    return sources.format_of(name, f"{BLOCK}.format", {".json": "squad"})


def parse(row: Row, options: ExtractiveQA, _facts: dict[str, Any], repairs: Counter[str]) -> Example:
    """Question, context and the answers that stand in it, each once.

    An answer whose offset is wrong is looked for: where its text stands once in the context, that is the place, and
    it counts as repaired. One that cannot be placed is left out, if another one can.

    Raises:
        Defect: no question or context, no answer that can be placed, or none at all where each question has one.
    """
    question, context = (row.fields.get(name) for name in (options.question_field, options.context_field))
    for name, field, value in (
        ("question", options.question_field, question),
        ("context", options.context_field, context),
    ):
        if not isinstance(value, str) or not value.strip():
            message = f"{field!r} holds {str(value)[:40]!r}"
            raise _defect(row, options, f"no {name}", message, "give it one or take it out")
    inputs = {"question": question, "context": context}
    given = _answers(row, options)
    if not given:
        if not options.unanswerable:
            remedy = f"give it one, or set {BLOCK}.unanswerable: true"
            raise _defect(row, options, "no answer", "a question without answer", remedy)
        return Example(row.place, row.document, inputs, [])
    placed: list[Answer] = []
    found = Counter[str]()
    lost = None
    for text, start in given:
        where, repair = _place(str(context), text, start)
        if where is None:
            lost = lost or (text, start)
            found["an answer that does not stand in the text was left out"] += 1
            continue
        found.update([repair] if repair else [])
        answer = {"start": where, "text": text.strip()}
        if answer not in placed:
            placed.append(answer)
    if not placed and lost is not None:
        text, start = lost
        count = str(context).count(text) if isinstance(text, str) and text else 0
        message = f"answer {str(text)[:40]!r} is not at character {start} and stands {count} times in the text"
        raise _defect(row, options, "answer does not fit", message, "mend 'answer_start' or the text")
    repairs.update(found)
    return Example(row.place, row.document, inputs, placed)


def raw_items(row: Row, options: ExtractiveQA, _facts: dict[str, Any]) -> int:
    """One answer per question, or one that there is none."""
    return int(options.question_field in row.fields)


def items(target: list[Answer]) -> Counter[str]:
    """``answer``, or ``no answer``."""
    return Counter(["answer" if target else "no answer"])


def surround(examples: Iterable[Example], options: ExtractiveQA, _max_length: int) -> Iterator[Example]:
    """Each with the length of the longest answer that may be given, which windows must hold whole, and with whether
    what it shares with the question is marked."""
    given = {"longest": options.max_answer, "mark": options.mark_shared}
    return (replace(one, inputs=one.inputs | given) for one in examples)


def encode(
    examples: Sequence[Example],
    tokenizer: "PreTrainedTokenizerFast",
    classes: Sequence[str],  # noqa: ARG001 the contract's
    max_length: int,
    overlap: int,
) -> list[Encoded]:
    """Windows over the context, each behind the question; the first sub-word stands for no answer.

    A question takes half of a window at most, what is longer is not read. Neighbouring windows share ``overlap``
    sub-words, or one less than the longest answer (`surround`) where that is more, but at most half of what they hold:
    so an answer that is not too long for that stands whole in a window. Learned is the first answer, in each window
    that holds all of it; the others learn that they hold none.
    """
    around = frame(tokenizer, max_length, overlap)
    middle = _between(tokenizer)
    questions = cut([example.inputs["question"] for example in examples], tokenizer)
    contexts = cut([example.inputs["context"] for example in examples], tokenizer)
    marking = any(example.inputs["mark"] for example in examples)  # params say it of all
    vocabulary = vocabulary_of(tokenizer) if marking else 0
    windows = []
    for number, (question, context) in enumerate(zip(questions, contexts, strict=True)):
        before = [*around.before, *question.ids[: around.room // 2], *middle]
        room = max_length - len(before) - len(around.after)
        if room <= overlap:
            raise UserError(
                f"params.yaml: finetune.window_overlap: {overlap} leaves no room behind a question in windows of "
                f"{max_length} sub-words; write {max(room - 1, 0)} or less, or a larger finetune.max_length"
            )
        read = context.ids
        if marking:
            text, asked = examples[number].inputs["context"], examples[number].inputs["question"]
            read = marked(read, context.offsets, text, asked, vocabulary)
        answer = _subwords(examples[number].target, context.offsets)
        shared = max(overlap, min(examples[number].inputs["longest"] - 1, room // 2))
        for start, end in cover(len(context.ids), room, shared):
            ids = [*before, *read[start:end], *around.after]
            labels = [IGNORED] * len(ids)
            labels[0] = FIRST
            labels[len(before) : len(before) + end - start] = [0] * (end - start)
            inside = answer is not None and start <= answer[0] and answer[1] < end
            first, last = (place + len(before) - start for place in answer) if answer and inside else (0, 0)
            labels[first] |= START
            labels[last] |= END
            parts = [(0, -1), *((len(before) + place, start + place) for place in range(end - start))]
            windows.append(Encoded(number, ids, labels, parts, [(0, 0), *context.offsets[start:end]]))
    return windows


def unlearned(examples: Sequence[Example], windows: Sequence[Encoded]) -> int:
    """Questions whose answer stands whole in no window, or in sub-words of none: they learn that there is none."""
    found = {window.example for window in windows if not window.labels[0] & START}
    return sum(bool(example.target) and number not in found for number, example in enumerate(examples))


def model(source: str, load: dict[str, Any], classes: Sequence[str]) -> "PreTrainedModel":
    """An encoder with transformers' own head for starts and ends."""
    from transformers import AutoModelForQuestionAnswering

    from tasks.models import load_encoder

    made: PreTrainedModel = load_encoder(
        AutoModelForQuestionAnswering, source, load, num_labels=len(classes), attn_implementation="eager"
    )
    return made


def extend(given: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast", options: ExtractiveQA, seed: int) -> None:
    """Rows for the sub-words that `encode` marks, where params say so."""
    if options.mark_shared:
        add_marked_rows(given, vocabulary_of(tokenizer), seed)


def head(trained: Any) -> "Module":
    """The layer that says how gladly an answer starts and ends at a sub-word."""
    layer: Module = trained.qa_outputs if hasattr(trained, "qa_outputs") else trained.classifier
    return layer


def decode(
    examples: Sequence[Example],
    answers: Iterable[tuple[Encoded, "NDArray[np.float32]"]],
    classes: Sequence[str],  # noqa: ARG001 the contract's
    options: ExtractiveQA,
) -> list[Prediction]:
    """The answer whose start and end score most together, over all windows; none where params allow and it wins.

    The confidence is its probability among the ``n_best`` answers of the question (and none, where params allow it).
    The score of none is the least over the windows: each must hold that nothing is there (Devlin et al. 2019).
    """
    pools: list[dict[tuple[int, int], float]] = [{} for _ in examples]
    none = [float("inf")] * len(examples)
    for window, rows in answers:
        none[window.example] = min(none[window.example], float(rows[0].sum()))
        pool = pools[window.example]
        for score, first, last in _best(rows, options.max_answer, options.n_best):
            place = (window.offsets[first][0], window.offsets[last][1])
            pool[place] = max(score, pool.get(place, score))
    return [_chosen(*pair, options) for pair in zip(examples, pools, none, strict=True)]


def read(text: str, name: str) -> Example:
    """A line of JSON with ``question`` and ``context``.

    Raises:
        UserError: it is none.
    """
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict) or not all(isinstance(value.get(key), str) for key in ("question", "context")):
        raise UserError(f'{text[:60]!r}: a question needs a text; write {{"question": "...", "context": "..."}} a line')
    return Example(name, None, {"question": value["question"], "context": value["context"]}, [])


def answer(_text: str, _example: Example, prediction: Prediction) -> list[dict[str, Any]]:
    """The answer with its characters in the context, or nothing."""
    return [
        {
            "start": found["start"],
            "end": found["start"] + len(found["text"]),
            "label": "answer",
            "text": found["text"],
            "confidence": round(prediction.confidence[0], 6),
        }
        for found in prediction.predicted
    ]


def show(inputs: dict[str, Any], target: list[Answer]) -> list[tuple[str, str | None]]:
    """The question, and the context with its first answer."""
    context = inputs["context"]
    start, end = (target[0]["start"], target[0]["start"] + len(target[0]["text"])) if target else (0, 0)
    runs = [(context[:start], None), (context[start:end], "answer"), (context[end:], None)]
    return [(f"{inputs['question']} ", "question"), *((text, label) for text, label in runs if text)]


def likeness(example: Example) -> Likeness:
    """The question, beside the sentences of its context, each of which would be the answer."""
    context = example.inputs["context"]
    edges = [0, *(found.end() for found in SENTENCE_ENDS.finditer(context)), len(context)]
    choices = []
    for start, end in itertools.pairwise(edges):
        if text := context[start:end].strip():
            choices.append((text, [{"start": context.index(text, start), "text": text}]))
    return Likeness(example.inputs["question"], choices)


def _answers(row: Row, options: ExtractiveQA) -> list[tuple[Any, Any]]:
    """Text and start of the answers of a row: SQuAD's list of objects, or the Hub's object of lists."""
    value = row.fields.get(options.answers_field) or []
    if row.fields.get("is_impossible") is True:
        return []
    if isinstance(value, dict):
        texts, starts = (_listed(value.get(name)) for name in ("text", "answer_start"))
        return list(itertools.zip_longest(texts, starts[: len(texts)]))
    value = _listed(value)
    return [(one.get("text"), one.get("answer_start")) if isinstance(one, dict) else (one, None) for one in value]


def _listed(value: Any) -> list[Any]:
    """A list, also of one value that stands by itself."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _place(context: str, text: Any, start: Any) -> tuple[int | None, str]:
    """Where an answer stands, and what was mended to know it."""
    if not isinstance(text, str) or not text.strip():
        return None, ""
    indent = len(text) - len(text.lstrip())
    if isinstance(start, int) and start >= 0 and context[start : start + len(text)] == text:
        return start + indent, ""
    wanted = text.strip()
    if context.count(wanted) == 1:
        return context.index(wanted), "the offset of an answer was found by its text"
    return None, ""


def _between(tokenizer: "PreTrainedTokenizerFast") -> list[int]:
    """What the tokenizer sets between two texts."""
    encoding = tokenizer.backend_tokenizer.encode("a", "a", add_special_tokens=True)
    sides = encoding.sequence_ids
    first = len(sides) - sides[::-1].index(0)
    return list(encoding.ids[first : sides.index(1)])


def _subwords(target: Sequence[Answer], offsets: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    """First and last sub-word of the first answer; None where there is none, or no sub-word stands for it."""
    if not target:
        return None
    start, end = target[0]["start"], target[0]["start"] + len(target[0]["text"])
    inside = [place for place, (first, last) in enumerate(offsets) if first < end and last > start]
    return (inside[0], inside[-1]) if inside else None


def _best(rows: "NDArray[np.float32]", longest: int, count: int) -> list[tuple[float, int, int]]:
    """The best scores with first and last part; the first row, which stands for none, is left out."""
    import numpy as np

    starts, ends = rows[1:, 0].astype(np.float64), rows[1:, 1].astype(np.float64)
    if not len(starts):
        return []
    first = np.argsort(-starts, kind="stable")[: 4 * count]  # an answer among the best starts among the best
    width = np.arange(min(longest, len(starts)))
    last = first[:, None] + width
    fits = last < len(starts)
    scores = np.where(fits, starts[first][:, None] + ends[np.minimum(last, len(starts) - 1)], -np.inf).ravel()
    order = np.argsort(-scores, kind="stable")[:count]
    order = order[np.isfinite(scores[order])]
    return [
        (float(scores[index]), int(first[index // len(width)]) + 1, int(last.ravel()[index]) + 1)
        for index in order.tolist()
    ]


def _chosen(example: Example, pool: dict[tuple[int, int], float], none: float, options: ExtractiveQA) -> Prediction:
    import numpy as np

    context = example.inputs["context"]
    ranked: list[tuple[float, list[Answer]]] = []
    for (start, end), score in sorted(pool.items(), key=lambda item: (-item[1], item[0]))[: options.n_best]:
        piece = context[start:end]
        if piece.strip():
            shift = len(piece) - len(piece.lstrip())
            ranked.append((score, [{"start": start + shift, "text": piece.strip()}]))
    if options.unanswerable or not ranked:
        best = ranked[0][0] if ranked else -np.inf
        wins = best - none < options.no_answer_margin
        ranked.insert(0 if wins or not ranked else 1, (none if np.isfinite(none) else 0.0, []))
    scores = np.array([score for score, _ in ranked])
    shares = np.exp(scores - scores.max())
    shares /= shares.sum()
    names = [found[0]["text"] if found else "" for _, found in ranked]
    second = [index for index, name in enumerate(names) if index and name != names[0]][:1]
    return Prediction(
        example.id,
        example.target,
        ranked[0][1],
        [float(shares[0])],
        example.document,
        [names[index] for index in second],
        [float(shares[index]) for index in second],
    )


def _defect(row: Row, options: ExtractiveQA, kind: str, message: str, remedy: str) -> Defect:
    return Defect(kind, row.place, message, remedy, int(options.question_field in row.fields))


adapter = Adapter(
    options=ExtractiveQA,
    source=source,
    parse=parse,
    raw_items=raw_items,
    items=items,
    wording=Wording(
        "question",
        "questions",
        "answer",
        "answers",
        headline="answer F1",
        rule="An answer counts by the tokens that it shares with the gold answer it comes nearest to, as in SQuAD’s "
        "official script; in Chinese and Japanese the tokens are characters.",
        quoted=True,
        sample='{"question": "Who visited Nagoya?", "context": "Angela Merkel visited Toyota in Nagoya."}',
    ),
    classes=lambda _labels: ["start", "end"],
    surround=surround,
    encode=encode,
    heads=("linear", "mlp"),
    objective=lambda _options: "spans",
    model=model,
    extend=extend,
    head=head,
    decode=decode,
    scorer="answers",
    headline="answer_f1",
    read=read,
    answer=answer,
    show=show,
    likeness=likeness,
    unlearned=unlearned,
)
