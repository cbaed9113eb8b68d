"""From the bytes of a request to its texts, each limit checked before what it protects."""

import asyncio

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serving.options import Options
from serving.refusals import Refusal

SECONDS = 10  # for the whole body to arrive
DRAINED = 64_000_000  # bytes that are read and thrown away, so that who sent too much reads why


class Asked(BaseModel):
    """What /predict takes: one text, or several."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str | None = Field(default=None, description="One text.", examples=["Angela Merkel visited Nagoya."])
    texts: list[str] | None = Field(default=None, description="Several texts; give this or text.")


async def read_body(request: Request, most: int) -> bytes:
    """The body of a request.

    Raises:
        Refusal: 415 not JSON by its header, 413 longer than ``most`` bytes, 408 too slow.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":  # a page elsewhere can then not make a browser send it without asking
        raise Refusal(415, "not_json", "send JSON with the header 'Content-Type: application/json'")
    body, count = bytearray(), 0
    try:
        async with asyncio.timeout(SECONDS):
            async for block in request.stream():
                count += len(block)
                if count <= most:
                    body += block
                elif count > DRAINED:
                    break
    except TimeoutError:
        raise Refusal(408, "too_slow", f"the body did not arrive within {SECONDS} seconds") from None
    if count > most:
        raise Refusal(413, "body_too_long", f"a request may hold {most:,} bytes; send fewer or shorter texts")
    return bytes(body)


def texts_of(body: bytes, options: Options) -> list[str]:
    """The texts of a body. Raises Refusal (422) that says what is wrong and where, without the text itself."""
    try:
        asked = Asked.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        said = f"{place[:100]}: {first['msg']}" if place else first["msg"]
        raise Refusal(422, first["type"], f'{said}; send {{"text": "..."}} or {{"texts": ["...", "..."]}}') from None
    if (asked.text is None) == (asked.texts is None):
        raise Refusal(422, "text_or_texts", 'send either {"text": "..."} or {"texts": ["...", "..."]}')
    texts = asked.texts if asked.texts is not None else [asked.text or ""]
    if not texts:
        raise Refusal(422, "no_text", "texts: is empty")
    if len(texts) > options.max_texts:
        raise Refusal(
            422, "too_many_texts", f"texts: holds {len(texts)}, a request may hold {options.max_texts}; send several"
        )
    for index, text in enumerate(texts):
        if len(text) > options.max_characters:
            name = "text" if asked.texts is None else f"texts.{index}"
            raise Refusal(
                422,
                "text_too_long",
                f"{name}: has {len(text):,} characters, a text may have {options.max_characters:,}; divide it",
            )
    return texts
