"""Summarization: a long text to a short one that says the same, by an encoder-decoder."""

from collections import Counter
from dataclasses import replace
from typing import Any, Literal

from tasks import sources, text_to_text
from tasks.adapters import Adapter, Wording
from tasks.params import Generation, Scratch, Section
from tasks.records import Example, Row

BLOCK = "summarization"


class Summarization(Section):
    """The block ``summarization:`` of params.yaml."""

    format: Literal["auto", "jsonl", "json", "csv", "tsv", "parquet"]
    source_field: str
    target_field: str
    prefix: str
    references: Literal["best", "mean"]
    scratch: Scratch
    generation: Generation


def source(name: str, options: Summarization) -> str:
    """The format of a raw file: by its ending, unless params name one."""
    if options.format != "auto" and not sources.split_key(name)[1]:
        return options.format
    return sources.format_of(name, f"{BLOCK}.format", {".tsv": "tsv"})


def parse(row: Row, options: Summarization, _facts: dict[str, Any], repairs: Counter[str]) -> Example:
    """The text and its summaries. A text that comes as a list of sentences keeps them, one a line.

    Raises:
        Defect: a side is missing, empty, or no text.
    """

    def join(found: Any) -> Any:
        if isinstance(found, list | tuple) and all(isinstance(part, str) for part in found):
            return "\n".join(" ".join(part.split()) for part in found)
        return found

    return text_to_text.parse(row, options, repairs, join)


WORDING = Wording(
    "text",
    "texts",
    "reference",
    "references",
    headline="ROUGE-L",
    rule="ROUGE-L is the F1 of the longest sequence of words, gaps allowed, that a summary shares with the "
    "reference it comes nearest to; the mean over all texts.",
    sample="We train a parser on raw text alone. It reaches what one trained on trees does, in a tenth of the time.",
    written=True,
)
MEAN = {
    "scorer": "summarization_mean",
    "headline": "rouge_l_mean",
    "wording": replace(
        WORDING,
        headline="mean ROUGE-L",
        rule="ROUGE-L is the F1 of the longest sequence of words, gaps allowed, that a summary shares with a "
        "reference; the mean over the references of a text, and over all texts.",
    ),
}

adapter = Adapter(
    options=Summarization,
    source=source,
    parse=parse,
    raw_items=text_to_text.raw_items,
    items=text_to_text.items,
    wording=WORDING,
    classes=list,
    surround=text_to_text.surround,
    encode=text_to_text.encode,
    heads=("linear",),
    objective=text_to_text.objective,
    model=text_to_text.model,
    head=text_to_text.head,
    decode=text_to_text.decode,
    scorer="summarization",
    headline="rouge_l",
    read=text_to_text.read,
    answer=text_to_text.answer,
    show=text_to_text.show,
    scratch=text_to_text.scratch,
    variants={"mean": MEAN},
    variant=lambda options: "mean" if options.references == "mean" else "",
)
