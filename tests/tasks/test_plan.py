"""What a Plan's values do to a run: training.train over toy models of both paths."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from tasks import training
from tasks.adapters import Encoded
from tasks.adapters.token_classification import model as token_classifier
from tasks.checkpoints import Checkpoints
from tasks.compute import Machine
from tasks.dropout import set_dropout
from tasks.encoding import encode_words
from tasks.fast_engine import FastEngine
from tasks.models import load_tokenizer
from tasks.plain_engine import PlainEngine
from tasks.schedules import schedule
from tasks.stopping import Budget
from tasks.training import Plan, train

CPU = Machine(torch.device("cpu"), bf16=False, description="cpu")
WORDS = [["Angela", "Merkel", "visited", "Toyota", "in", "Nagoya"], ["boxes"], ["harbourmaster", "of", "Graz"]] * 4
LABELS = [[1, 2, 0, 1, 0, 1], [0], [0, 0, 1]] * 4
PLAN = Plan(
    epochs=2,
    batch_size=6,
    micro_batch_size=0,
    learning_rate=5e-3,
    schedule="linear",
    warmup_ratio=0.0,
    max_gradient_norm=1.0,
    patience=0,
    minimum_gain=0.0,
    max_steps=0,
    max_minutes=0.0,
    class_weights=None,
)


@pytest.fixture
def make(bert_folder: Path) -> Any:
    """Makes an engine without dropout over a fresh model, and the arguments of train that go with it."""
    tokenizer = load_tokenizer(str(bert_folder), {})
    windows = encode_words(WORDS, LABELS, tokenizer, max_length=20, overlap=4)
    pad = tokenizer.pad_token_id

    def build(kind: str = "fast", **options: Any) -> tuple[Any, list[Encoded], dict[str, Any]]:
        torch.manual_seed(0)
        model = token_classifier(str(bert_folder), {}, ["O", "B-X", "I-X"])
        set_dropout(model.config, model, 0.0, 0.0)
        common = {"machine": CPU, "weight_decay": 0.01, "dropout": 0.0, "seed": 1} | options
        if kind == "plain":
            engine: Any = PlainEngine(model, model.classifier, **common)
        else:
            used = {pad}.union(*(window.input_ids for window in windows))
            engine = FastEngine(model, model.classifier, used, 20, attention_dropout=0.0, **common)
        return engine, windows, {"store": None, "pad_id": pad, "machine": CPU, "seed": 1}

    return build


def run(made: tuple[Any, list[Encoded], dict[str, Any]], figures: list[float] | None = None, **changes: Any) -> Any:
    engine, windows, keywords = made
    more = {name: changes.pop(name) for name in ("store", "on_step") if name in changes}
    values = iter(figures or [0.5] * 9)
    return train(engine, windows, lambda _: (0.0, next(values)), replace(PLAN, **changes), **(keywords | more))


@pytest.mark.parametrize("size", [1, 4, 6])
def test_micro_batches_give_the_gradient_of_the_whole_step(make: Any, size: int) -> None:
    gradients: dict[int, list[torch.Tensor]] = {}
    sizes: dict[int, list[int]] = {}
    for micro in (0, size):
        made = make()
        engine, step = made[0], made[0].step

        def record(batches: Any, *arguments: Any, micro: int = micro, step: Any = step, **keywords: Any) -> Any:
            sizes.setdefault(micro, []).extend(len(batch["input_ids"]) for batch in batches)
            return step(batches, *arguments, **keywords)

        def stand_still(*_: Any, micro: int = micro, engine: Any = engine) -> None:
            gradients.setdefault(micro, []).append(engine.flat.collect())
            engine.flat._given = None  # as a step does

        engine.step, engine.flat.step = record, stand_still
        losses = run(made, micro_batch_size=micro).history
        assert losses[0].train_loss == pytest.approx(1.1, abs=0.3)
    assert sizes[0] == [6] * 4
    assert max(sizes[size]) == size
    assert sum(sizes[size]) == 24
    assert len(gradients[0]) == len(gradients[size]) == 4
    for whole, parts in zip(gradients[0], gradients[size], strict=True):
        assert whole.abs().max() > 1e-2
        assert torch.allclose(whole, parts, atol=1e-6)


def test_micro_batches_give_the_weights_of_the_whole_step(make: Any) -> None:
    weights, histories = [], []
    for micro in (0, 4):
        made = make("plain", optimizer="sgd")
        histories.append(run(made, micro_batch_size=micro).history)
        weights.append(made[0].weights())
    assert histories[0][-1].train_loss == pytest.approx(histories[1][-1].train_loss, abs=1e-6)
    for name, value in weights[0].items():
        assert torch.allclose(value, weights[1][name], atol=1e-6), name


def test_training_ends_when_patience_does(make: Any, capsys: pytest.CaptureFixture[str]) -> None:
    figures = [0.1, 0.4, 0.4, 0.3, 0.9]
    result = run(make(), figures, epochs=5, patience=2)
    assert len(result.history) == 4
    assert result.best.epoch == 2
    assert "stops early: 2 epochs without a gain of more than 0 (finetune.patience)" in capsys.readouterr().err
    assert len(run(make(), figures, epochs=5, patience=3).history) == 5


def test_a_gain_must_be_more_than_the_minimum(make: Any) -> None:
    figures = [0.1, 0.4, 0.41, 0.42, 0.9]
    result = run(make(), figures, epochs=5, patience=2, minimum_gain=0.05)
    assert len(result.history) == 4
    assert result.best.epoch == 4  # the best weights are kept all the same
    assert len(run(make(), figures, epochs=5, patience=2).history) == 5


def test_a_step_budget_ends_in_the_middle_of_an_epoch(make: Any) -> None:
    result = run(make(), epochs=3, max_steps=3)
    assert [(line.epoch, line.step) for line in result.history] == [(1, 2), (2, 3)]
    assert (result.steps, result.examples) == (3, 18)
    rate = schedule("linear", 5e-3, 3, 0)
    assert [line.learning_rate for line in result.history] == [rate(1), rate(2)]
    assert run(make(), epochs=3, max_steps=100).steps == 6
    assert run(make(), epochs=3, max_steps=2).history == run(make(), epochs=1).history


class Clock:
    """A clock that a test sets."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def tick(self, _: int) -> None:
        self.seconds += 20


def test_a_time_budget_ends_the_run_and_its_schedule(
    make: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    monkeypatch.setattr(training, "Budget", partial(Budget, now=clock))
    result = run(make(), epochs=9, max_minutes=1.0, on_step=clock.tick)
    assert [(line.epoch, line.step) for line in result.history] == [(1, 2), (2, 3)]
    rate = schedule("linear", 5e-3, 18, 0)
    assert [line.learning_rate for line in result.history] == pytest.approx([rate(6), rate(12)])
    assert "stops after step 3 of 18: finetune.max_minutes: 1 are over" in capsys.readouterr().err


def test_time_before_a_kill_counts(make: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for limit, expected in ((2, 0), (9, 3)):  # killed after so many steps, of which the checkpoints know one less
        clock = Clock()
        monkeypatch.setattr(training, "Budget", partial(Budget, now=clock))

        def tick(step: int, clock: Clock = clock, limit: int = limit) -> None:
            clock.tick(step)
            if step == limit:
                raise KeyboardInterrupt

        with Checkpoints(tmp_path, "key", every_steps=1) as store:
            if expected == 0:
                with pytest.raises(KeyboardInterrupt):
                    run(make(), epochs=9, max_minutes=1.0, store=store, on_step=tick)
            else:
                assert run(make(), epochs=9, max_minutes=1.0, store=store, on_step=tick).steps == expected
                assert clock.seconds == 40  # the other 20 were spent before


@pytest.mark.parametrize("shape", ["linear", "cosine", "constant"])
def test_the_schedule_is_followed(make: Any, shape: Any) -> None:
    result = run(make(), schedule=shape, warmup_ratio=0.25)
    rate = schedule(shape, 5e-3, 4, 1)
    assert [line.learning_rate for line in result.history] == [rate(1), rate(3)]


@pytest.mark.parametrize("optimizer", ["adamw", "adafactor", "sgd"])
def test_every_optimizer_learns_in_its_own_way(make: Any, optimizer: str) -> None:
    rate = 0.1 if optimizer == "sgd" else 5e-3
    losses = [line.train_loss for line in run(make("plain", optimizer=optimizer), epochs=6, learning_rate=rate).history]
    assert losses[-1] < 0.7 * losses[0]
    other = run(make("plain"), epochs=6, learning_rate=rate).history[-1].train_loss
    assert (losses[-1] == other) == (optimizer == "adamw")


@pytest.mark.parametrize("kind", ["fast", "plain"])
def test_class_weights_move_the_model_to_the_heavy_classes(make: Any, kind: str) -> None:
    shares = []
    for weights in ([1.0, 1.0, 1.0], [0.05, 1.0, 1.0]):
        made = make(kind)
        run(made, class_weights=weights)
        model = made[0].sync().eval()
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([made[1][0].input_ids])).logits
        shares.append(logits.softmax(-1)[..., 0].mean().item())
    assert shares[1] < 0.8 * shares[0]
    even = run(make(kind), class_weights=[2.0, 2.0, 2.0]).history[-1].train_loss
    assert even == pytest.approx(run(make(kind)).history[-1].train_loss, abs=1e-4)
