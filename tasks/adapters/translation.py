"""Translation: a text of one language to the same in another, by an encoder-decoder."""

from collections import Counter
from typing import Any, Literal

from tasks import sources, text_to_text
from tasks.adapters import Adapter, Wording
from tasks.params import Generation, Scratch, Section
from tasks.records import Example, Row

BLOCK = "translation"


class Translation(Section):
    """The block ``translation:`` of params.yaml."""

    format: Literal["auto", "aligned", "tsv", "csv", "jsonl", "json", "parquet"]
    source_field: str
    target_field: str
    prefix: str
    scratch: Scratch
    generation: Generation


def source(name: str, options: Translation) -> str:
    """The format of a raw file: by its ending, unless params name one. Two names with a colon are aligned lines."""
    if sources.sides(name):
        return "aligned"
    if options.format != "auto" and not sources.split_key(name)[1]:
        return options.format
    return sources.format_of(name, f"{BLOCK}.format", {".tsv": "tsv"})


def parse(row: Row, options: Translation, _facts: dict[str, Any], repairs: Counter[str]) -> Example:
    """The text and its translations.

    Raises:
        Defect: a side is missing, empty, or no text.
    """
    if sources.sides(row.file):
        options = options.model_copy(update={"source_field": "source", "target_field": "target"})

    def join(found: Any) -> Any:
        return text_to_text.one_line(found, repairs) if isinstance(found, str) else found

    return text_to_text.parse(row, options, repairs, join)


def raw_items(row: Row, options: Translation, facts: dict[str, Any]) -> int:
    """References of a row in any state; aligned lines have one."""
    return 1 if sources.sides(row.file) else text_to_text.raw_items(row, options, facts)


adapter = Adapter(
    options=Translation,
    source=source,
    parse=parse,
    raw_items=raw_items,
    items=text_to_text.items,
    wording=Wording(
        "text",
        "texts",
        "reference",
        "references",
        headline="BLEU",
        rule="BLEU is sacrebleu's over the whole split, divided by 100: how many sequences of one to four words stand "
        "in a reference too, less a penalty where the texts are shorter.",
        sample="Two men are talking.",
        written=True,
    ),
    classes=list,
    surround=text_to_text.surround,
    encode=text_to_text.encode,
    heads=("linear",),
    objective=text_to_text.objective,
    model=text_to_text.model,
    head=text_to_text.head,
    decode=text_to_text.decode,
    scorer="translation",
    headline="bleu",
    read=text_to_text.read,
    answer=text_to_text.answer,
    show=text_to_text.show,
    scratch=text_to_text.scratch,
)
