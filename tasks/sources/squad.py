"""SQuAD's JSON, version 1.1 or 2.0: articles with paragraphs with questions (Rajpurkar et al. 2016, 2018)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.errors import UserError
from tasks.records import Row
from tasks.sources import Item, Unreadable, open_binary, undecodable


def read(path: Path, name: str) -> Iterator[Item]:
    """Yield a row per question: ``fields`` are the question's own with ``context``; its line is its number, from 1.

    The document is the article's title, or its number. `Unreadable` are articles and paragraphs of another form, at the
    number of the next question.

    Raises:
        UserError: the file is not UTF-8, not JSON, or has no list ``data``.
    """
    try:
        with open_binary(path) as file:
            value = json.loads(file.read().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        _, message, remedy = undecodable(error)
        raise UserError(f"{name}: {message}; {remedy}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{name}: not JSON ({error}); mend the file") from None
    if not isinstance(value, dict) or not isinstance(value.get("data"), list):
        raise UserError(
            f"{name}: no list 'data' as SQuAD has it; set extractive_qa.format if the file is of another form"
        )
    number = 1
    for article_number, article in enumerate(value["data"], start=1):
        title = article.get("title") if isinstance(article, dict) else None
        document = title if isinstance(title, str) and title else f"{name}:article {article_number}"
        for paragraph in _list(article, "paragraphs"):
            context = paragraph.get("context") if isinstance(paragraph, dict) else None
            questions = _list(paragraph, "qas")
            if not isinstance(context, str) or not questions:
                message = f"a paragraph of {document!r} without 'context' or 'qas'"
                yield Unreadable("not an object", f"{name}:{number}", message, "mend it or take it out")
                continue
            for question in questions:
                if isinstance(question, dict):
                    yield Row(name, number, document, {**question, "context": context})
                else:
                    message = f"{str(question)[:40]!r} is no question"
                    yield Unreadable("not an object", f"{name}:{number}", message, "mend it or take it out")
                number += 1


def _list(value: Any, key: str) -> list[Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []
