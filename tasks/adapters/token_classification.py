"""Token classification: named entities and other flat spans over words, as IOB2 tags."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

from tasks import context, tagging
from tasks.adapters import Adapter, Encoded, Wording
from tasks.decoding import best_valid
from tasks.encoding import IGNORED, encode_words, merge_windows
from tasks.models import load_encoder
from tasks.records import Example, Prediction
from tasks.tags import spans
from tasks.words import split_words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch.nn import Module
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


def surround(examples: Iterable[Example], options: tagging.TokenClassification, max_length: int) -> Iterator[Example]:
    """The examples, with their neighbours in the same document where ``context`` asks for them."""
    return context.surround(examples, max_length) if options.context == "document" else iter(examples)


def encode(
    examples: Sequence[Example],
    tokenizer: "PreTrainedTokenizerFast",
    classes: Sequence[str],
    max_length: int,
    overlap: int,
) -> list[Encoded]:
    """Windows over the words of the examples; tags that are no class (unseen in train) are not learned from.

    What a window has left is filled with the neighbours that `surround` gave.
    """
    index = {name: number for number, name in enumerate(classes)}
    labels = [
        [index.get(tag, IGNORED) for tag in example.target] or [IGNORED] * len(example.inputs["words"])
        for example in examples
    ]
    words = [example.inputs["words"] for example in examples]
    around = context.around(examples, tokenizer)
    return encode_words(words, labels, tokenizer, max_length=max_length, overlap=overlap, around=around)


def model(source: str, load: dict[str, Any], classes: Sequence[str]) -> "PreTrainedModel":
    """An encoder with a linear layer over each sub-word."""
    from transformers import AutoModelForTokenClassification

    names = dict(enumerate(classes))
    made: PreTrainedModel = load_encoder(
        AutoModelForTokenClassification,
        source,
        load,
        num_labels=len(classes),
        id2label=names,
        label2id={name: number for number, name in names.items()},
        attn_implementation="eager",  # faster than sdpa for short sentences when training on a processor
    )
    return made


def head(trained: Any) -> "Module":
    """The linear layer over a sub-word's hidden state."""
    layer: Module = trained.classifier
    return layer


def decode(
    examples: Sequence[Example],
    answers: Iterable[tuple[Encoded, "NDArray[np.float32]"]],
    classes: Sequence[str],
    options: tagging.TokenClassification,  # noqa: ARG001 the contract's
) -> list[Prediction]:
    """The most probable tags that IOB2 allows together; a word that no window answers is O with confidence 0.

    The runner-up of a word is the most probable class but the chosen one. It is more probable than that where IOB2 or
    a chain of tags forbade it. Of a row's numbers the sizes are the probabilities (tasks.crf.Crf.resolve says why some
    bear a minus sign), the largest is the choice.
    """
    import numpy as np

    lengths = [len(example.inputs["words"]) for example in examples]
    outside = np.eye(len(classes), dtype=np.float32)[classes.index("O")]
    rows, answered = merge_windows(lengths, list(answers), outside)
    chosen = best_valid(rows, lengths, classes)
    words = np.arange(len(rows))
    probabilities = np.abs(rows) * answered[:, None]
    confidence = probabilities[words, chosen].tolist()
    probabilities[words, chosen] = -1
    second = probabilities.argmax(axis=1)
    tags = [classes[index] for index in chosen.tolist()]
    runner_up = [classes[index] for index in second.tolist()]
    runner_up_confidence = np.maximum(probabilities[words, second], 0).tolist()
    return [
        Prediction(
            example.id,
            example.target,
            tags[start:end],
            confidence[start:end],
            example.document,
            runner_up[start:end],
            runner_up_confidence[start:end],
        )
        for example, (start, end) in zip(examples, pairwise([0, *accumulate(lengths)]), strict=True)
    ]


def read(text: str, name: str) -> Example:
    """The words of running text, split as training texts with character spans are."""
    offsets = split_words(text)
    return Example(name, None, {"words": [text[start:end] for start, end in offsets], "offsets": offsets}, [])


def answer(text: str, example: Example, prediction: Prediction) -> list[dict[str, Any]]:
    """Entities by character; one is as sure as its least sure word."""
    offsets = example.inputs["offsets"]
    found = []
    for first, last, label in spans(prediction.predicted):
        start, end = offsets[first][0], offsets[last - 1][1]
        sure = round(min(prediction.confidence[first:last]), 6)
        found.append({"start": start, "end": end, "label": label, "text": text[start:end], "confidence": sure})
    return found


adapter = Adapter(
    options=tagging.TokenClassification,
    source=tagging.source,
    survey=tagging.survey,
    parse=tagging.parse,
    raw_items=tagging.raw_items,
    items=tagging.items,
    wording=Wording(
        "sentence",
        "sentences",
        "entity",
        "entities",
        headline="strict entity F1",
        rule="Strict (IOB2): an entity counts when its first word, its last word and its type are right and it begins "
        "with B-. Lenient is conlleval’s way, in which an I- may begin one.",
        sample="Angela Merkel visited Toyota in Nagoya.",
    ),
    classes=tagging.classes,
    surround=surround,
    encode=encode,
    heads=("linear", "mlp", "crf"),
    objective=lambda _options: "classes",
    model=model,
    head=head,
    decode=decode,
    scorer="entities",
    headline="entity_f1",
    read=read,
    answer=answer,
    show=tagging.show,
)
