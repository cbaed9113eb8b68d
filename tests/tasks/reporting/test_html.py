"""The page: whole HTML, everything escaped, nothing from outside."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tasks.reporting.calibration import Calibration
from tasks.reporting.focus import Entry, Focus
from tasks.reporting.gather import Report
from tasks.reporting.goal import Goal
from tasks.reporting.html import html
from tasks.reporting.mistakes import Error, Mistake, Mistakes, Run, Twin
from tasks.reporting.suspects import Suspect

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
    assert {link.removeprefix("#").partition("?")[0] for link in page.all("href")} <= set(ids)


def test_nothing_comes_from_outside(gathered: Report, page: Page) -> None:
    tags = {tag for tag, _ in page.elements}
    assert tags.isdisjoint({"link", "img", "iframe", "object", "embed", "base", "form"})
    assert page.all("src") == []
    assert all(link.startswith("#") for link in page.all("href"))
    made = html(gathered)
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", made))
    assert "@import" not in made and "@font-face" not in made
    policy = page.all("content")[0]
    assert "default-src 'none'" in policy
    (script,) = re.findall(r"<script>(.*?)</script>", made, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy


def test_what_a_reader_looks_for_is_there(page: Page) -> None:
    text = " ".join(page.text.split())
    for words in (
        "validation: strict entity F1 0.593 [0.443, 0.743]",
        "test: strict entity F1 0.909 [0.759, 1.000]",
        "Goal 0.750: 0.157 to go.",
        "95 % bootstrap over documents, 1000 resamples",
        "type only 0.653 [0.503, 0.803]",
        "type LOC +0.296 0.889 4",
        "2 of 12 entities (17 %) got another answer; 2 were right before and are not after, 0 the other way round",
        "seen in train unseen 0.400 +0.207 0.800 3 6",
        "expected calibration error is 0.123 and the Brier score 0.210",
        "A temperature of 1.35, fitted on validation, would correct it: the model is surer than it should be",
        "lenient F1 0.593",
        "14 gold entities, 13 predicted, in 10 sentences of 61 words",
        "Epoch 2 of 3 was the best on validation",
        "wrong type Nordhaven Council LOC → ORG > 0.99 , then B-LOC 0.00 in train ORG Nordhaven Council met",
        "validation.conll:66 Nordhaven Council LOC ORG > 0.99 ORG 2",
        "Token table, not the entity score",
        "0.869 of the words are right where the strict entity F1 is 0.593",
        "entities refused with their rows 2 0 0",
        "1 columns ('lonely') where most words of the file have 2",
    ):
        assert words in text


def test_a_goal_for_another_figure_names_it(gathered: Report) -> None:
    goal = Goal("per_type.LOC.f1", 0.5, 0.444444, None, headline=False)
    text = " ".join(Page(html(replace(gathered, goal=goal))).text.split())
    assert "Goal 0.500 for per_type.LOC.f1: 0.056 to go, now 0.444." in text


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


def test_what_costs_most_leads_to_its_mistakes(page: Page) -> None:
    links = [link for link in page.all("href") if "?" in link]
    assert "#mistakes?kind=wrong+type" in links
    assert "#mistakes?type=LOC" in links
    assert "#mistakes?slice=document%3A+prize+night" in links


def test_errors_carry_what_they_are_filtered_by(page: Page) -> None:
    errors = [attributes for _, attributes in page.elements if "data-kind" in attributes]
    assert len(errors) == 6
    options = [attributes for tag, attributes in page.elements if tag == "option" and "data-slice" in attributes]
    assert [option["value"] for option in options] == [
        "document: harbour letters",
        "document: prize night",
        "entity length: 1 word",
        "entity length: 2 words",
        "seen in train: ambiguous",
        "seen in train: seen",
        "seen in train: unseen",
    ]
    assert [option["data-slice"] for option in options] == [str(n) for n in range(7)]
    assert (errors[0]["data-kind"], errors[0]["data-gold"], errors[0]["data-predicted"], errors[0]["data-slices"]) == (
        "wrong type",
        "LOC",
        "ORG",
        "1 3 5",
    )


def test_types_have_colours_by_their_order(gathered: Report) -> None:
    swatches = re.findall(r'--type: var\(--type-(\d)\)"></span>(\w+)', html(gathered))
    assert {label: colour for colour, label in swatches} == {"LOC": "0", "MISC": "1", "ORG": "2", "PER": "3"}


def test_every_text_is_escaped(gathered: Report) -> None:
    evil = "</p><script>alert('x')</script>\"onload=\"x"
    run = Run(evil, evil, False)
    error = Error(evil, evil, evil, evil, 0.9, evil, 0.1, (0,), (Twin(evil, evil, evil),))
    mistake = Mistake(evil, 0.9, (run,), (run,), (error,))
    entry = Entry(evil, evil, 1, 1, 1, 0.5, 0.6, 0.1)
    line = next(iter(gathered.scores["test"].types.values()))
    own = replace(
        gathered,
        dataset=evil,
        run=((evil, evil),),
        types=(evil,),
        scores={split: replace(scores, types={evil: line}) for split, scores in gathered.scores.items()},
        confusion={(evil, evil): 1, (evil, "none"): 2},
        focus=Focus(
            0.6, {evil: 1}, (entry, replace(entry, dimension="kind"), replace(entry, dimension="type")), {}, None
        ),
        mistakes=Mistakes((mistake,), 1, 1, 1, ((evil, evil),)),
        suspects=(Suspect(evil, evil, evil, evil, 0.9, {evil: 1}),),
        findings=replace(gathered.findings, notes=(evil,)),
    )
    page = Page(html(own))
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert page.all("onload") == []
    assert page.text.count(evil) > 10


def test_a_page_with_nothing_in_it_is_whole(gathered: Report) -> None:
    scores = {split: replace(own, types={}) for split, own in gathered.scores.items()}
    nothing = {
        "focus": Focus(0.5, {}, (), {}, None),
        "suspects": (),
        "calibration": Calibration(1.0, (), ()),
        "goal": None,
    }
    empty = replace(gathered, **nothing, types=(), scores=scores, confusion={}, mistakes=Mistakes((), 0, 0, 0, ()))
    text = " ".join(Page(html(empty)).text.split())
    assert "Neither the data nor the predictions hold an entity." in text
    assert "Validation holds no error." in text
    assert "There is nothing to cut into slices." in text
    assert "None: no sure prediction differs" in text
    assert "No entity of validation was missed, invented or taken for another type." in text


def test_many_types_do_not_make_a_square_nobody_can_read(gathered: Report) -> None:
    many = {(f"T{n:02}", "none"): 40 - n for n in range(40)}
    made = html(replace(gathered, confusion=many))
    assert 'class="matrix"' not in made
    Page(made)
