"""The page: whole HTML, everything escaped, nothing from outside."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tasks.reporting.gather import Report
from tasks.reporting.html import html
from tasks.reporting.mistakes import Mistake, Mistakes, Run, WrongPart

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """Elements of a page, which must be closed in the order in which they were opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs)), f"{tag} names an attribute twice"
        self.elements.append((tag, dict(attrs)))
        self.text += " "
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, attribute: str) -> list[str]:
        return [attributes[attribute] or "" for _, attributes in self.elements if attribute in attributes]


@pytest.fixture(scope="module")
def page(gathered: Report) -> Page:
    return Page(html(gathered))


def test_it_is_whole_and_its_ids_are_unique(page: Page) -> None:
    ids = page.all("id")
    assert len(ids) == len(set(ids)) > 10
    assert {name for names in page.all("aria-labelledby") for name in names.split()} <= set(ids)
    assert {link.removeprefix("#") for link in page.all("href")} <= set(ids)


def test_nothing_comes_from_outside(gathered: Report, page: Page) -> None:
    tags = {tag for tag, _ in page.elements}
    assert tags.isdisjoint({"script", "link", "img", "iframe", "object", "embed", "base", "form"})
    assert page.all("src") == []
    assert all(link.startswith("#") for link in page.all("href"))
    made = html(gathered)
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", made))
    assert "@import" not in made and "@font-face" not in made
    assert "default-src 'none'" in page.all("content")[0]


def test_what_a_reader_looks_for_is_there(page: Page) -> None:
    text = " ".join(page.text.split())
    for words in (
        "validation: strict entity F1 0.593",
        "test: strict entity F1 0.909",
        "lenient F1 0.593",
        "14 gold entities, 13 predicted, in 10 sentences of 61 words",
        "Epoch 2 of 3 was the best on validation",
        "Nordhaven B-LOC → B-ORG > 0.99",
        "Token table, not the entity score",
        "0.869 of the words are right where the strict entity F1 is 0.593",
        "entities refused with their rows 2 0 0",
        "1 columns ('lonely') where most words of the file have 2",
    ):
        assert words in text


def test_gold_stands_above_the_prediction(gathered: Report) -> None:
    first = re.findall(r'<dt>(\w+)</dt><dd dir="auto">(.*?)</dd>', html(gathered), flags=re.DOTALL)[:2]
    shown = [
        (name, re.findall(r"<mark( class=\"wrong\")?.*?<bdi>(.*?)</bdi><span>(\w+)", line)) for name, line in first
    ]
    wrong = ' class="wrong"'
    assert shown == [
        ("gold", [("", "Quenby", "PER"), (wrong, "Nordhaven Council", "LOC")]),
        ("predicted", [("", "Quenby", "PER"), (wrong, "Nordhaven Council", "ORG")]),
    ]


def test_types_have_colours_by_their_order(gathered: Report) -> None:
    swatches = re.findall(r'--type: var\(--type-(\d)\)"></span>(\w+)', html(gathered))
    assert {label: colour for colour, label in swatches} == {"LOC": "0", "MISC": "1", "ORG": "2", "PER": "3"}


def test_every_text_is_escaped(gathered: Report) -> None:
    evil = "</p><script>alert('x')</script>\"onload=\"x"
    run = Run(evil, evil, False)
    mistake = Mistake(evil, 0.9, 1, (run,), (run,), (WrongPart(evil, evil, evil, 0.9),))
    line = next(iter(gathered.scores["test"].types.values()))
    own = replace(
        gathered,
        dataset=evil,
        run=((evil, evil),),
        types=(evil,),
        scores={split: replace(scores, types={evil: line}) for split, scores in gathered.scores.items()},
        confusion={(evil, evil): 1, (evil, "none"): 2},
        mistakes=Mistakes((mistake,), 1, 1),
        findings=replace(gathered.findings, notes=(evil,)),
    )
    page = Page(html(own))
    assert "script" not in {tag for tag, _ in page.elements}
    assert page.all("onload") == []
    assert page.text.count(evil) > 10


def test_a_page_with_nothing_in_it_is_whole(gathered: Report) -> None:
    scores = {split: replace(own, types={}) for split, own in gathered.scores.items()}
    empty = replace(gathered, types=(), scores=scores, confusion={}, mistakes=Mistakes((), 0, 0))
    text = " ".join(Page(html(empty)).text.split())
    assert "Neither the data nor the predictions hold an entity." in text
    assert "No entity of validation was missed, invented or taken for another type." in text


def test_many_types_do_not_make_a_square_nobody_can_read(gathered: Report) -> None:
    many = {(f"T{n:02}", "none"): 40 - n for n in range(40)}
    made = html(replace(gathered, confusion=many))
    assert 'class="matrix"' not in made
    Page(made)
