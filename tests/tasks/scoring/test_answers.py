"""Answers as the official scripts count them: words in English, characters in Chinese, the best of several."""

import re
import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.records import Example, Prediction
from tasks.scoring import selection
from tasks.scoring.analysis import analyse
from tasks.scoring.answers import ANALYSIS, HEADLINE, baselines, score
from tasks.scoring.selection import answer_tokens


def answers(*texts: str) -> list[dict[str, object]]:
    return [{"start": 10 * number, "text": text} for number, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The Broncos!", ["broncos"]),
        ("an  apple a day", ["apple", "day"]),
        ("it's 2,000", ["its", "2000"]),
        ("在1998年，NBA", ["在", "1998", "年", "nba"]),
        ("《战国》", ["战", "国"]),
        ("the", []),
    ],
)
def test_tokens_are_those_of_the_official_scripts(text: str, tokens: list[str]) -> None:
    assert answer_tokens(text) == tokens


def official_normalize(text: str) -> str:
    """normalize_answer of the official script of SQuAD 1.1 and 2.0, word for word."""

    def remove_articles(text: str) -> str:
        return re.sub(r"\b(a|an|the)\b", " ", text)

    def white_space_fix(text: str) -> str:
        return " ".join(text.split())

    def remove_punc(text: str) -> str:
        exclude = set(string.punctuation)
        return "".join(ch for ch in text if ch not in exclude)

    return white_space_fix(remove_articles(remove_punc(text.lower())))


def official_f1(prediction: str, ground_truth: str) -> float:
    """compute_f1 of the official script of SQuAD 2.0."""
    gold_toks, pred_toks = (official_normalize(text).split() for text in (ground_truth, prediction))
    num_same = sum((Counter(gold_toks) & Counter(pred_toks)).values())
    if len(gold_toks) == 0 or len(pred_toks) == 0:
        return float(gold_toks == pred_toks)
    if num_same == 0:
        return 0.0
    precision, recall = num_same / len(pred_toks), num_same / len(gold_toks)
    return 2 * precision * recall / (precision + recall)


CMRC_MARKS = "-:_*^/\\~`+=，。：？！“”；’《》……·、「」（）－～『』"


def cmrc_segmentation(text: str) -> list[str]:
    """mixed_segmentation of the official script of CMRC 2018 with rm_punc, nltk's words being those between spaces."""
    segs_out, temp = [], ""
    for char in text.lower().strip():
        if re.search(r"[\u4e00-\u9fa5]", char) or char in CMRC_MARKS:
            segs_out += temp.split()
            temp = ""
            if char not in CMRC_MARKS:
                segs_out.append(char)
        elif char not in CMRC_MARKS:
            temp += char
    return segs_out + temp.split()


ENGLISH = st.text(alphabet=list("ab the an.,!'-$ 19\n"), max_size=24)


@given(ENGLISH, st.lists(ENGLISH, min_size=1, max_size=3))
def test_figures_are_those_of_the_official_script(given_text: str, golds: list[str]) -> None:
    made = Prediction("1", answers(*golds), answers(given_text), [0.5])
    scores = score([made])
    assert scores["answer_f1"] == pytest.approx(max(official_f1(given_text, gold) for gold in golds), abs=1e-6)
    exact = any(official_normalize(given_text) == official_normalize(gold) for gold in golds)
    assert scores["exact_match"] == float(exact)


CHINESE = st.text(alphabet=list("甲乙丙丁，。《》19 x"), min_size=1, max_size=16).filter(
    lambda text: re.search("[甲乙丙丁]", text) is not None
)


@given(CHINESE, CHINESE)
def test_figures_in_chinese_are_those_of_cmrc(predicted: str, gold: str) -> None:
    one, other = cmrc_segmentation(gold), cmrc_segmentation(predicted)
    scores = score([Prediction("1", answers(gold), answers(predicted), [0.5])])
    lengths = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    longest = 0  # find_lcs of the script: the longest common run
    for i, left in enumerate(one):
        for j, right in enumerate(other):
            if left == right:
                lengths[i + 1][j + 1] = lengths[i][j] + 1
                longest = max(longest, lengths[i + 1][j + 1])
    expected = 2 * longest / (len(one) + len(other))
    assert scores["answer_f1_lcs"] == pytest.approx(expected, abs=1e-6)
    assert scores["exact_match"] == float(one == other)


def test_a_case_by_hand() -> None:
    made = [
        Prediction("1", answers("the Denver Broncos"), answers("Denver Broncos"), [0.9]),
        Prediction("2", answers("gold", "a gold theme"), answers("gold theme of 50"), [0.4]),
        Prediction("3", answers("北京市"), answers("北京"), [0.6]),
        Prediction("4", [], [], [0.7]),
        Prediction("5", [], answers("x"), [0.2]),
        Prediction("6", answers("x y"), [], [0.3]),
    ]
    scores = score(made)
    f1 = [1.0, 2 * 2 / (2 + 4), 2 * 2 / (2 + 3), 1.0, 0.0, 0.0]
    assert scores["answer_f1"] == pytest.approx(sum(f1) / 6, abs=1e-6)
    assert scores["exact_match"] == pytest.approx(2 / 6, abs=1e-6)
    assert scores["per_type"]["answer"]["support"] == 4
    assert scores["per_type"]["no answer"]["f1"] == 0.5
    assert (scores["gold_entities"], scores["predicted_entities"]) == (6, 4)
    golds, given = [one.gold for one in made], [one.predicted for one in made]
    assert selection.answer_f1(golds, given) == pytest.approx(HEADLINE.of(made))
    assert scores["answer_f1"] == pytest.approx(HEADLINE.of(made), abs=1e-6)


def test_the_longest_common_run_counts_in_the_figure_of_cmrc() -> None:
    scores = score([Prediction("1", answers("甲乙丙丁"), answers("甲乙丁"), [0.5])])
    assert scores["answer_f1"] == pytest.approx(2 * 3 / 7, abs=1e-6)
    assert scores["answer_f1_lcs"] == pytest.approx(2 * 2 / 7, abs=1e-6)


def test_errors_have_kinds() -> None:
    gold = [{"start": 10, "text": "ab cd"}]
    given = [[{"start": 10, "text": "ab"}], [{"start": 7, "text": "xx ab cd"}], [{"start": 13, "text": "cd ef"}]]
    given += [[{"start": 50, "text": "zz"}], []]
    made = [Prediction(str(number), gold, one, [0.5]) for number, one in enumerate(given)]
    made.append(Prediction("9", [], answers("x"), [0.5]))
    examples = [Example(one.id, None, {"question": "In what year?", "context": "c" * 60}, one.gold) for one in made]
    found = analyse(ANALYSIS, HEADLINE, examples, made, [], lambda _: [], seed=1, variants=0, confidence=0.9)
    assert found.focus["errors"] == {
        "another answer": 1,
        "answer too long": 1,
        "answer too short": 1,
        "answer shifted": 1,
        "answered the unanswerable": 1,
        "found no answer": 1,
    }
    assert {line["slices"]["question word"] for line in found.mistakes} == {"what"}


def test_the_baseline_is_the_sentence_nearest_to_the_question() -> None:
    inputs = {"question": "who moves boxes", "context": "Merkel visited Graz. Kestrel moves boxes. Nothing else."}
    example = Example("1", None, inputs, answers("Kestrel"))
    given = baselines([], [example])
    assert HEADLINE.of(given["sentence"]) == 0.5
    assert given["first"][0].predicted == [{"start": 0, "text": "Merkel visited Graz. "}]
