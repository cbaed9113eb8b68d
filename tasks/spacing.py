"""White space that a tokenizer lost: BERT's cuts at every punctuation mark and keeps no note of what stood together.

The rules are those of ordinary Western text. Where both readings occur (``3. 50`` as a price or as two sentences) the
more frequent one is taken.
"""

import re

RULES = [
    (re.compile(pattern), joined)
    for pattern, joined in (
        (r"(?<=\d) ?([:./-]) ?(?=\d)", r"\1"),  # 6:30, 25.50, 3/5, 555-1234
        (r"(?<=\d), (?=\d{3}(?!\d))", ","),  # 1,000
        (r"(?<=\w) ?(['’]) ?(?=(?:s|t|m|d|re|ve|ll)\b)", r"\1"),  # it's, doesn't
        (r"(?<=[^\W\d]) - (?=[^\W\d])", "-"),  # e-mail
        (r"(?<=[$€£#@]) (?=\w)", ""),
        (r"(?<=\d) (?=%)", ""),
        (r"(?<=[(\[]) ", ""),
        (r" (?=[)\],;:.!?](?:\W|$))", ""),
    )
]


def torn(tokenizer: object) -> bool:
    """Whether the tokenizer (of transformers) cuts at punctuation and forgets the white space around it."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    return type(getattr(backend, "decoder", None)).__name__ == "WordPiece"


def mended(text: str) -> str:
    """The text as a person would write it."""
    for pattern, joined in RULES:
        text = pattern.sub(joined, text)
    return text
