"""What every adapter must hold. A new one is found by its file and needs ten fixture rows and one that is refused."""

import importlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks import objectives, ranking, sources
from tasks.adapters import Adapter, Encoded, Written, find, name_of
from tasks.encoding import END, START
from tasks.errors import Defect, UserError
from tasks.models import load_tokenizer
from tasks.params_file import check, tasks_available
from tasks.records import Example, Prediction, Row
from tasks.scoring import selection
from tasks.scoring.intervals import describe
from tasks.verdict import judge
from tasks.yaml_files import read_yaml

ROOT = Path(__file__).parents[3]
FIXTURES = Path(__file__).parent / "fixtures"
TASKS = tasks_available()


# what a person writes to a task that needs more than a text
ASKED = {
    "relation_extraction": "<e1>Angela Merkel</e1> visited <e2>Toyota</e2> in Nagoya.",
    "extractive_qa": '{"question": "who", "context": "Angela Merkel visited Toyota."}',
    "dialogue": '{"history": [{"role": "user", "text": "who visited Toyota"}], "candidates": ["Merkel", "Graz", "no"]}',
    "dialogue_generation": '{"history": [{"role": "user", "text": "who visited Toyota"}]}',
}
SHORT = {"extractive_qa": 24}  # a window that holds a question and an answer; 16 for the others
# keep of a long text a part
ONE_WINDOW = {"relation_extraction", "dialogue", "dialogue_generation", "translation", "summarization"}
TEXTS = {"dialogue": 2}  # that are read apart in each example; one for the others


def rows(adapter: Adapter, options: Any, task: str, name: str) -> list[Row]:
    (path,) = (FIXTURES / task).glob(f"{name}.*")
    read = sources.reader(adapter.source(path.name, options))
    return [row for row in read(path, path.name) if isinstance(row, Row)]


def parsed(task: str) -> tuple[Adapter, list[Example], list[str], int]:
    """The adapter, its fixture examples, the classes of its head and the gold items counted in the raw rows."""
    adapter, options = find(task), settings(task)
    found = rows(adapter, options, task, "train")
    facts = adapter.survey(found, options)
    examples = [adapter.parse(row, options, facts, Counter()) for row in found]
    if adapter.complete is not None:
        examples = list(adapter.complete(examples, options))
    labels = sorted(set().union(*(adapter.items(example.target) for example in examples)))
    return adapter, examples, adapter.classes(labels), sum(adapter.raw_items(row, options, facts) for row in found)


def settings(task: str) -> Any:
    return check(find(task).options, read_yaml(ROOT / "params.yaml")[task], Path("params.yaml"))


def oracle(
    task: str, windows: Sequence[Encoded], classes: Sequence[str], examples: Sequence[Example]
) -> list[tuple[Encoded, Any]]:
    """Answers of a model that knows the gold."""
    kind = find(task).objective(settings(task))
    if kind == "sequences":
        return [(window, Written(examples[window.example].target[0], 1.0)) for window in windows]
    made = objectives.make(kind, len(classes))
    eye = np.eye(len(classes), dtype=np.float32)
    answers: list[tuple[Encoded, Any]] = []
    for window in windows:
        labels = [window.labels[place] for place, _ in window.parts[:: made.rows_per_output]]
        if kind == "spans":
            rows = np.array([[label & START, label & END] for label in labels], np.float32) * 10
        elif kind == "label_sets":
            rows = np.array([[label >> bit & 1 for bit in range(len(classes))] for label in labels], np.float32)
        elif kind == "ranking":  # a history and its response point the same way, each pair in its own
            rows = np.eye(len(windows), dtype=np.float32)[[labels[0] >> 1]] * ranking.SCALE**0.5
        else:
            rows = eye[labels]
        answers.append((window, rows))
    return answers


ADAPTERS = 8  # that there are; a file that is no longer found would pass every check here


def test_adapters_were_found() -> None:
    assert "token_classification" in TASKS
    assert len(TASKS) >= ADAPTERS


@pytest.mark.parametrize("task", TASKS)
def test_ten_rows_parse_and_no_gold_is_lost(task: str) -> None:
    adapter, examples, _, raw = parsed(task)
    assert len(examples) >= 10
    assert len({example.id for example in examples}) == len(examples)
    assert raw == sum(sum(adapter.items(example.target).values()) for example in examples) > 0


@pytest.mark.parametrize("task", TASKS)
def test_the_sample_of_hone_predict_is_a_line_that_is_read(task: str) -> None:
    adapter = find(task)
    read = adapter.read(adapter.wording.sample, "0")
    assert adapter.show(read.inputs, read.target)


@pytest.mark.parametrize("task", TASKS)
def test_one_broken_row_is_refused_by_name_and_the_others_are_not(task: str) -> None:
    adapter, options = find(task), settings(task)
    found = rows(adapter, options, task, "broken")
    facts = adapter.survey(found, options)
    refused = []
    for row in found:
        try:
            adapter.parse(row, options, facts, Counter())
        except Defect as defect:
            refused.append(defect)
    assert len(refused) == 1 < len(found)
    assert refused[0].place.startswith("broken.")
    assert refused[0].entities > 0


@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize("folder", ["bert_folder", "roberta_folder"])
@pytest.mark.parametrize("task", TASKS)
def test_gold_fed_back_as_prediction_scores_perfect(
    task: str, folder: str, short: bool, request: pytest.FixtureRequest
) -> None:
    adapter, examples, classes, raw = parsed(task)
    tokenizer = load_tokenizer(str(request.getfixturevalue(folder)), {})
    window = SHORT.get(task, 16) if short else 128
    ready = list(adapter.surround(examples, settings(task), window))
    windows = adapter.encode(ready, tokenizer, classes, window, 4)
    assert max(len(one.input_ids) for one in windows) <= window
    assert any(len(one.input_ids) == window for one in windows) == short
    assert (len(windows) > TEXTS.get(task, 1) * len(examples)) == (short and task not in ONE_WINDOW)
    predictions = adapter.decode(examples, oracle(task, windows, classes, examples), classes, settings(task))
    assert [prediction.predicted for prediction in predictions] == [example.target for example in examples]
    assert all(0 < value <= 1 for prediction in predictions for value in prediction.confidence)
    scores = importlib.import_module(f"tasks.scoring.{adapter.scorer}").score(predictions)
    assert scores[adapter.headline] == 1.0
    assert scores["gold_entities"] == raw


def with_one_wrong(task: str, folder: Path) -> tuple[Adapter, list[Example], list[Prediction], list[Prediction]]:
    """The adapter, its examples, their gold as predictions, and the same with another answer to the first."""
    adapter, examples, classes, _ = parsed(task)
    ready = list(adapter.surround(examples, settings(task), 128))
    windows = adapter.encode(ready, load_tokenizer(str(folder), {}), classes, 128, 4)
    answers = oracle(task, windows, classes, examples)
    right = adapter.decode(examples, answers, classes, settings(task))
    window, first = answers[0]
    wrong = Written("else", 1.0) if isinstance(first, Written) else np.roll(first, 1, axis=1)
    answers[0] = (window, wrong)
    return adapter, examples, right, adapter.decode(examples, answers, classes, settings(task))


@pytest.mark.parametrize("task", TASKS)
def test_a_wrong_prediction_scores_less(task: str, bert_folder: Path) -> None:
    adapter, _, _, predictions = with_one_wrong(task, bert_folder)
    scores = importlib.import_module(f"tasks.scoring.{adapter.scorer}").score(predictions)
    assert 0 < scores[adapter.headline] < 1


@pytest.mark.parametrize("task", TASKS)
def test_intervals_and_verdicts_have_the_tasks_own_word_for_its_examples(task: str, bert_folder: Path) -> None:
    adapter, examples, right, wrong = with_one_wrong(task, bert_folder)
    word = adapter.wording.examples
    assert "interval" not in importlib.import_module(f"tasks.scoring.{adapter.scorer}").score(wrong)
    assert (
        describe([replace(one, document=None) for one in wrong], word) == f"95 % bootstrap over {word}, 1000 resamples"
    )
    alone = [replace(one, document=None) for one in examples]
    options = {"relevant": 0.05, "resamples": 1000, "show_text": True}
    found = judge(task, [wrong], [right], alone, lambda: iter(alone), **options)
    assert (found.unit, found.examples) == (word, word)


@pytest.mark.parametrize("task", TASKS)
def test_examples_can_be_shown_and_raw_text_be_answered(task: str, bert_folder: Path) -> None:
    adapter, examples, classes, _ = parsed(task)
    labelled = [label for example in examples for _, label in adapter.show(example.inputs, example.target) if label]
    assert labelled
    text = ASKED.get(task, "Angela Merkel visited Toyota in Nagoya.")
    example = adapter.read(text, "0")
    ready = list(adapter.surround([example], settings(task), 128))
    windows = adapter.encode(ready, load_tokenizer(str(bert_folder), {}), classes, 128, 4)
    objective = objectives.make(adapter.objective(settings(task)), len(classes))
    eye = np.eye(max(len(classes), 2), dtype=np.float32)
    flat: list[tuple[Encoded, Any]] = [(window, Written(text, 0.5)) for window in windows]
    if not objective.whole_model:
        flat = [(window, eye[[1] * (len(window.parts) // objective.rows_per_output)]) for window in windows]
    (prediction,) = adapter.decode([example], flat, classes, settings(task))
    for item in adapter.answer(text, example, prediction):
        if "start" in item:  # else the answer is no piece of the text
            assert example.inputs.get("context", text)[item["start"] : item["end"]] == item["text"]
        assert item["text"] in text
        assert 0 <= item["confidence"] <= 1


@pytest.mark.parametrize("task", TASKS)
def test_params_choose_a_variant_by_its_name_and_each_has_scorer_and_headline(task: str) -> None:
    plain = find(task)
    values = read_yaml(ROOT / "params.yaml")[task]
    assert name_of(task, values) == task
    for name in plain.variants:
        adapter = find(f"{task}:{name}")
        scorer = importlib.import_module(f"tasks.scoring.{adapter.scorer}")
        assert scorer.HEADLINE.name == adapter.headline != plain.headline
        assert hasattr(selection, adapter.headline)
        assert adapter.wording.headline != plain.wording.headline
    if task == "summarization":
        assert name_of(task, {**values, "references": "mean"}) == "summarization:mean"
        with pytest.raises(UserError, match=r"summarization\.references: 'worst'"):
            name_of(task, {**values, "references": "worst"})
