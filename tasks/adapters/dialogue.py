"""Dialogue: which of ten responses comes next, chosen by an encoder that reads history and response apart."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from tasks import dialogues
from tasks.adapters import Adapter, Encoded, Likeness, Wording
from tasks.dialogues import Response
from tasks.distractors import with_candidates, wording
from tasks.encoding import IGNORED
from tasks.errors import UserError
from tasks.params import Natural, Positive, Section
from tasks.records import Example, Prediction, Row
from tasks.text_windows import cut, frame

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch.nn import Module
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

BLOCK = "dialogue"
HISTORY, OWN = -1, -2  # what a window is of, in its parts: these, or the number of a candidate


class Dialogue(Section):
    """The block ``dialogue:`` of params.yaml."""

    format: Literal["auto", "sgd", "jsonl", "json", "parquet"]
    history_field: str
    response_field: str
    turns: Positive
    pooling: Literal["mean", "first"]
    distractors: Literal["service", "split"]
    distractor_seed: Natural


def source(name: str, options: Dialogue) -> str:
    """The format of a raw file (tasks/dialogues.py)."""
    return dialogues.source(name, options, BLOCK)


def parse(row: Row, options: Dialogue, _facts: dict[str, Any], _repairs: Counter[str]) -> Example:
    """The turns so far and the response to them.

    Raises:
        Defect: no history, a turn without role or text, or no response.
    """
    history, response = dialogues.parse(row, options, BLOCK)
    return Example(row.place, row.document, {"history": history}, response)


def raw_items(row: Row, options: Dialogue, _facts: dict[str, Any]) -> int:
    """One response, where there is a place for it."""
    return dialogues.raw_items(row, options)


def items(target: Response) -> Counter[str]:
    """The response by its service."""
    return Counter([target["service"] or "response"])


def complete(examples: Iterable[Example], options: Dialogue) -> Iterator[Example]:
    """Each with the candidates that its response is chosen among."""
    return with_candidates(examples, near=options.distractors, seed=options.distractor_seed)


def surround(examples: Iterable[Example], options: Dialogue, _max_length: int) -> Iterator[Example]:
    """Each with the last turns of its history alone."""
    return dialogues.last_turns(examples, options)


def encode(
    examples: Sequence[Example],
    tokenizer: "PreTrainedTokenizerFast",
    classes: Sequence[str],  # noqa: ARG001 the contract's
    max_length: int,
    overlap: int,
) -> list[Encoded]:
    """Two windows for each example, its history and its response, and behind them those of other candidates, once each.

    A history that is longer than a window keeps its end, a response its beginning.
    """
    around = frame(tokenizer, max_length, overlap)
    texts = dict.fromkeys(example.target["text"] for example in examples)
    places = [(number, OWN, example.target["text"]) for number, example in enumerate(examples)]
    for number, example in enumerate(examples):
        for place, candidate in enumerate(example.inputs.get("candidates", ())):
            if candidate["text"] not in texts:
                texts[candidate["text"]] = None
                places.append((number, place, candidate["text"]))
    pieces = dict(zip(texts, cut(list(texts), tokenizer), strict=True))
    histories = cut([dialogues.as_text(example.inputs["history"]) for example in examples], tokenizer)
    same: dict[str, int] = {}

    def window(number: int, what: int, ids: list[int], label: int) -> Encoded:
        ids = [*around.before, *ids, *around.after]
        return Encoded(number, ids, [label] * len(ids), [(place, what) for place in range(len(ids))])

    windows = []
    for number, what, text in places:
        ids = pieces[text].ids[: around.room]
        if what != OWN:
            windows.append(window(number, what, ids, IGNORED))
            continue
        label = 2 * same.setdefault(wording(text), len(same))
        windows.append(window(number, HISTORY, histories[number].ids[-around.room :], label))
        windows.append(window(number, OWN, ids, label + 1))
    return windows


def model(source: str, load: dict[str, Any], classes: Sequence[str]) -> "PreTrainedModel":  # noqa: ARG001
    """The encoder as it is; hone puts a linear map on it."""
    from transformers import AutoModelForTokenClassification

    from tasks.models import load_model

    made: PreTrainedModel = load_model(AutoModelForTokenClassification, source, load, attn_implementation="eager")
    return made


def head(trained: Any) -> "Module":
    """The map of hidden states to the vectors that are compared."""
    layer: Module = trained.classifier
    return layer


def decode(
    examples: Sequence[Example],
    answers: Iterable[tuple[Encoded, "NDArray[np.float32]"]],
    classes: Sequence[str],  # noqa: ARG001 the contract's
    options: Dialogue,  # noqa: ARG001 the contract's
) -> list[Prediction]:
    """The candidate nearest to the history, all the others by nearness; a confidence is its share of the softmax.

    Raises:
        UserError: an example without candidates, such as preprocess gives to validation and test.
    """
    import numpy as np

    histories: dict[int, Any] = {}
    vectors: dict[str, Any] = {}
    for window, rows in answers:
        example, what = examples[window.example], window.parts[0][1]
        if what == HISTORY:
            histories[window.example] = rows[0]
        else:
            response = example.target if what == OWN else example.inputs["candidates"][what]
            vectors[response["text"]] = rows[0]
    found = []
    for number, example in enumerate(examples):
        candidates = example.inputs.get("candidates")
        if not candidates:
            raise UserError(f"{example.id}: no candidates to choose from; 'dvc repro preprocess' draws them")
        scores = np.array([vectors[one["text"]] @ histories[number] for one in candidates], np.float64)
        shares = np.exp(scores - scores.max())
        shares /= shares.sum()
        first, *others = np.argsort(-scores, kind="stable").tolist()
        names, sure = [candidates[index]["text"] for index in others], [float(shares[index]) for index in others]
        chosen = (candidates[first], [float(shares[first])])
        found.append(Prediction(example.id, example.target, *chosen, example.document, names, sure))
    return found


def read(text: str, name: str) -> Example:
    """A line of JSON with ``history``, turns with role and text, and ``candidates``, the texts of responses.

    Raises:
        UserError: it is none.
    """
    history, fields = dialogues.asked(text)
    candidates = fields.get("candidates")
    if not history or not isinstance(candidates, list) or not candidates or not all(map(dialogues.is_text, candidates)):
        raise UserError(
            f"{text[:60]!r}: a response is chosen for a history among candidates; write a line "
            '{"history": [{"role": "user", "text": "..."}], "candidates": ["...", "..."]}'
        )
    distinct = [_response(candidate) for candidate in dict.fromkeys(candidates)]
    return Example(name, None, {"history": history, "candidates": distinct}, _response(""))


def answer(_text: str, _example: Example, prediction: Prediction) -> list[dict[str, Any]]:
    """The candidates, the nearest first. They are no pieces of a text: a place is the order, not characters."""
    ranked = [prediction.predicted["text"], *prediction.runner_up]
    sure = [*prediction.confidence, *prediction.runner_up_confidence]
    return [
        {"rank": place, "label": "response", "text": text, "confidence": round(value, 6)}
        for place, (text, value) in enumerate(zip(ranked, sure, strict=True), start=1)
    ]


def show(inputs: dict[str, Any], target: Response) -> list[tuple[str, str | None]]:
    """The turns, and the response with its service."""
    return [*dialogues.shown(inputs["history"]), (target["text"], target["service"] or "response")]


def likeness(example: Example) -> Likeness:
    """The last turn, and the candidates: what an encoder of single sentences can compare."""
    choices = [(candidate["text"], candidate) for candidate in example.inputs.get("candidates", ())]
    return Likeness(example.inputs["history"][-1]["text"], choices)


def _response(text: str) -> Response:
    return {"text": text, "service": "", "act": ""}


adapter = Adapter(
    options=Dialogue,
    source=source,
    parse=parse,
    raw_items=raw_items,
    items=items,
    wording=Wording(
        "history",
        "histories",
        "response",
        "responses",
        headline="recall@1 of 10",
        rule="A history counts when its own response is ranked first among ten candidates, nine of them responses from "
        "elsewhere in the split.",
        quoted=True,
        sample='{"history": [{"role": "user", "text": "I need a table"}], "candidates": ["For how many?", "It rains"]}',
    ),
    classes=lambda _labels: [],
    surround=surround,
    encode=encode,
    heads=("linear",),
    objective=lambda options: "ranking" if options.pooling == "mean" else "ranking_first",
    model=model,
    head=head,
    decode=decode,
    scorer="dialogue",
    headline="recall_at_1",
    read=read,
    answer=answer,
    show=show,
    likeness=likeness,
    complete=complete,
)
