"""The adapter contract: all that the stages need to know of one kind of NLP problem.

An adapter is a value, an instance of `Adapter` named ``adapter`` in ``tasks/adapters/<task>.py``. The file name is
the registry: ``task: token_classification`` in params.yaml imports that module and no other. Adapters import torch
and transformers inside the functions that need them, so that preprocess and report start without.
"""

import importlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.params import Section
from tasks.params_file import check
from tasks.records import Example, Prediction, Row

if TYPE_CHECKING:
    from torch.nn import Module
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


@dataclass(frozen=True, slots=True)
class Encoded:
    """One window of one example, as the model sees it. An example gives one window or several.

    Attributes:
        example: index of the example in the list that was encoded.
        input_ids: sub-word ids with the special ones, at most ``max_length``.
        labels: what is to be learned, a number per sub-word, -100 where the loss looks away. What a number means the
            adapter's objective says (tasks/objectives.py); for most it is a class.
        parts: the way back: ``(position in input_ids, index of the word)`` for each part that this window answers.
            For words, each index stands at most once over all windows of an example. These sub-words are what the
            head reads, in this order.
        offsets: characters that each part stands for, (first, after the last), where answers are pieces of a text.
    """

    example: int
    input_ids: list[int]
    labels: list[int]
    parts: list[tuple[int, int]]
    offsets: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True, slots=True)
class Likeness:
    """What an encoder that has not been trained compares (tasks/untrained.py).

    Attributes:
        text: the text of the example whose neighbours are looked for.
        choices: texts that it is compared with, and what each would answer; none for the texts of train's examples.
    """

    text: str
    choices: Sequence[tuple[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """A text that a model wrote for a window (tasks/generation.py).

    Attributes:
        text: on one line.
        confidence: geometric mean of the probabilities of its sub-words, its end among them.
    """

    text: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Wording:
    """What a person reads of a task; keys in files are the same for every task.

    Attributes:
        example, examples: what an example is called, e.g. sentence, sentences.
        item, items: what a gold item is called, e.g. entity, entities.
        headline: the headline in words, e.g. strict entity F1.
        rule: when an answer counts as right, in a sentence or two.
        sample: a raw text as ``hone predict`` reads it, one line.
        written: whether answers are texts written anew, which stand beside their source and their references.
        quoted: whether answers are pieces of the data's own texts, which a report without texts shows nowhere.
    """

    example: str
    examples: str
    item: str
    items: str
    headline: str
    rule: str
    sample: str
    written: bool = False
    quoted: bool = False

    @property
    def figure(self) -> str:
        """The headline where it heads a column: F1, or its own name."""
        return "F1" if self.headline.endswith("F1") else self.headline

    @property
    def strict(self) -> str:
        """The headline within a sentence."""
        return "strict F1" if self.figure == "F1" else self.headline


@dataclass(frozen=True)
class Adapter:
    """One kind of NLP problem.

    Attributes:
        options: type of the adapter's own block in params.yaml.
        source: ``(file name, options) -> format``: which reader of tasks/sources/ opens a raw file.
        survey: ``(rows, options) -> facts``: what only the whole data can tell, e.g. the tag scheme; JSON-able. Sees
            every row once, bounded in memory, before any is parsed; never raises on a broken row (parse does). Left out
            where each row says all by itself.
        parse: ``(row, options, facts, repairs) -> Example``: raises Defect for a row that cannot be used and counts
            in ``repairs`` what it mended, by kind.
        raw_items: ``(row, options, facts) -> int``: gold items in the raw row, counted on another way than parse, so
            that the two can be compared. Never raises.
        items: ``(target) -> Counter``: gold items of a target by label, e.g. entities by type.
        wording: how the task is spoken of.
        classes: ``(labels) -> list``: names of the head's outputs in order, from the sorted labels of train; none where
            the outputs are vectors that are compared, as long as the hidden states.
        surround: ``(examples, options, max_length) -> examples``: each with what its neighbours give to its inputs, in
            order, bounded in memory; ``max_length`` bounds what can be of use. Comes before encode.
        encode: ``(examples, tokenizer, classes, max_length, overlap) -> list[Encoded]``.
        heads: values of ``finetune.head`` that make sense for this task.
        objective: ``(options) -> name``: what the head is trained for, one of tasks/objectives.py.
        model: ``(folder or Hub id, load_kwargs, classes) -> model``: encoder with the linear head of this task, where
            transformers has it.
        extend: ``(model, tokenizer, options, seed)``: gives a model that comes from outside what it needs before it is
            trained, in place, such as rows of the embedding; what is saved has it. Left out where it needs nothing.
        head: ``(model) -> module``: the part of that model, or of a tasks.heads.Tagger, that turns hidden states (n, H)
            into outputs (n, classes); None where the whole model is trained (objective ``sequences``).
        decode: ``(examples, [(window, answers)], classes, options) -> predictions`` in the order of the examples; the
            answers are what the objective gives, for most probabilities (parts of the window, classes), float32; for
            ``sequences`` each is a Written.
        scorer: module of tasks/scoring/ whose ``score(predictions)`` gives the metrics. Only its name stands here, so
            that a change of the scorer does not touch the stages before evaluate.
        headline: name of the metric that choices are made by; tasks/scoring/selection.py has a function of that name.
        read: ``(text, id) -> Example`` of raw text, for prediction; its target is empty. UserError where a task needs
            more than a text and the line does not give it.
        answer: ``(text, example, prediction) -> list``: what was found in a raw text, JSON-able: ``label``, ``text``,
            ``confidence`` and, where the answer is a piece of it, the places as characters, ``start`` and ``end``.
        show: ``(inputs, target) -> [(text, label or None), ...]``: an example as runs of text for a person to read.
        likeness: ``(example) -> Likeness``: what the nearest neighbours of an example are found by, for the baseline of
            the untrained encoder; None where an answer cannot be taken over from a neighbour.
        unlearned: ``(examples, windows) -> int``: gold items of train that no window teaches, of which finetune speaks.
        scratch: ``(folder, examples of train, options, max_length, seed)``: writes a new model with a tokenizer of its
            own into the folder, for ``finetune.model: scratch``; None where a task needs a pretrained one.
        variants: fields that options can replace, by the name of the variant: another scorer, headline and wording.
        variant: ``(options) -> name``: which of them the options choose; ``""`` for the adapter as it stands.
        complete: ``(examples, options) -> examples``: what the examples of validation and of test get from the whole of
            their split before they are written, in order and with the same targets; None where each stands for itself.
    """

    options: type[Section]
    source: Callable[[str, Any], str]
    parse: Callable[[Row, Any, dict[str, Any], Counter[str]], Example]
    raw_items: Callable[[Row, Any, dict[str, Any]], int]
    items: Callable[[Any], Counter[str]]
    wording: Wording
    classes: Callable[[Sequence[str]], list[str]]
    surround: Callable[[Iterable[Example], Any, int], Iterator[Example]]
    encode: Callable[[Sequence[Example], "PreTrainedTokenizerFast", Sequence[str], int, int], list[Encoded]]
    heads: tuple[str, ...]
    objective: Callable[[Any], str]
    model: Callable[[str, dict[str, Any], Sequence[str]], "PreTrainedModel"]
    head: Callable[["PreTrainedModel"], "Module | None"]
    decode: Callable[[Sequence[Example], Iterable[tuple[Encoded, Any]], Sequence[str], Any], list[Prediction]]
    scorer: str
    headline: str
    read: Callable[[str, str], Example]
    answer: Callable[[str, Example, Prediction], list[dict[str, Any]]]
    show: Callable[[dict[str, Any], Any], list[tuple[str, str | None]]]
    likeness: Callable[[Example], Likeness] | None = None
    survey: Callable[[Iterable[Row], Any], dict[str, Any]] = lambda _rows, _options: {}
    unlearned: Callable[[Sequence[Example], Sequence[Encoded]], int] = lambda _examples, _windows: 0
    extend: Callable[["PreTrainedModel", "PreTrainedTokenizerFast", Any, int], None] = lambda *_: None
    scratch: Callable[[Path, Sequence[Example], Any, int, int], None] | None = None
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    variant: Callable[[Any], str] = lambda _options: ""
    complete: Callable[[Iterable[Example], Any], Iterator[Example]] | None = None


def find(name: str) -> Adapter:
    """The adapter of a task, or its variant by a name from `name_of`; tasks.params_file has checked that it exists."""
    task, _, variant = name.partition(":")
    adapter: Adapter = importlib.import_module(f"tasks.adapters.{task}").adapter
    return replace(adapter, **adapter.variants[variant]) if variant else adapter


def name_of(task: str, options: Mapping[str, Any]) -> str:
    """``task``, or ``task:variant`` where its block of params.yaml chooses a variant.

    Raises:
        UserError: the block is not as the adapter has it; names the key.
    """
    adapter = find(task)
    variant = adapter.variant(check(adapter.options, dict(options), Path("params.yaml"), prefix=f"{task}."))
    return f"{task}:{variant}" if variant else task
