"""The training loop: straight-line over epochs and steps, the best epoch on validation is kept."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tasks.adapters import Encoded
from tasks.batches import collate, epoch_batches
from tasks.compute import Machine
from tasks.errors import UserError
from tasks.progress import progress
from tasks.stage import say

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Epoch:
    """One line of history.csv.

    Attributes:
        epoch: from 1.
        step: optimizer steps done so far.
        learning_rate: of the last step.
        train_loss: mean cross-entropy per labelled word over the epoch, in nats.
        validation_loss: the same on validation after the epoch.
        validation_f1: headline metric on validation, 0 to 1.
    """

    epoch: int
    step: int
    learning_rate: float
    train_loss: float
    validation_loss: float
    validation_f1: float


@dataclass(frozen=True)
class Trained:
    """What a training run did, in units that do not depend on the machine.

    Attributes:
        history: every epoch.
        best: the epoch whose weights were kept.
        steps: optimizer steps.
        tokens: sub-words that the model saw, special ones counted, padding not.
        padded_tokens: the same with padding.
    """

    history: list[Epoch]
    best: Epoch
    steps: int
    tokens: int
    padded_tokens: int


class Engine(Protocol):
    """What does the steps: FastEngine or PlainEngine."""

    def step(
        self,
        batches: list[dict[str, Any]],
        loss: Callable[["torch.Tensor", "torch.Tensor"], "torch.Tensor"],
        *,
        number: int,
        rate: float,
        max_norm: float,
    ) -> "torch.Tensor":
        """One optimizer step; the summed loss of its batches, shape ()."""

    def sync(self) -> Any:
        """The model with the newest weights."""


def train(
    engine: Engine,
    windows: Sequence[Encoded],
    validate: Callable[[Any], tuple[float, float]],
    *,
    keep: Callable[[Any], None],
    pad_id: int,
    machine: Machine,
    seed: int,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    warmup_ratio: float,
    max_gradient_norm: float,
    on_step: Callable[[int], None] | None = None,
) -> Trained:
    """Fine-tune the model of ``engine``.

    Linear warm-up and linear decay to 0; the loss of a step is the mean cross-entropy over the labelled words of its
    examples, however many windows they have.

    Args:
        windows: of all training examples, in their order.
        validate: ``model -> (loss, headline metric)`` on validation.
        keep: called with the model after each epoch that is better than all before it.
        pad_id: sub-word id of padding.
        batch_size: examples per optimizer step.
        learning_rate: peak.
        warmup_ratio: share of all steps.
        on_step: called after each step with the number of steps done.
    """
    import torch

    groups = _by_example(windows)
    lengths = [sum(len(windows[index].input_ids) for index in group) for group in groups]
    steps = epochs * math.ceil(len(groups) / batch_size)
    rate = linear_schedule(learning_rate, steps, round(warmup_ratio * steps))
    clock = progress(range(steps), steps, "fine-tune")  # counts steps over all epochs, so that it knows the time left
    history: list[Epoch] = []
    best: Epoch | None = None
    step = tokens = padded_tokens = 0
    for epoch in range(1, epochs + 1):
        started = time.monotonic()
        total, count = torch.zeros((), device=machine.device), 0
        for batch in epoch_batches(lengths, batch_size=batch_size, seed=seed, epoch=epoch):
            next(clock, None)
            chosen = [windows[index] for example in batch for index in groups[example]]
            tensors = collate(chosen, pad_id=pad_id, device=machine.device)
            labelled = max(1, sum(len(window.parts) for window in chosen))
            total += labelled * engine.step(
                [tensors],
                partial(mean_cross_entropy, count=labelled),
                number=step,
                rate=rate(step),
                max_norm=max_gradient_norm,
            )
            count += labelled
            step += 1
            tokens += sum(len(window.input_ids) for window in chosen)
            padded_tokens += tensors["input_ids"].numel()
            if on_step is not None:
                on_step(step)
        loss = total.item() / count
        if not math.isfinite(loss):
            raise UserError(
                f"the loss is no longer a number in epoch {epoch}; "
                f"params.yaml: finetune.learning_rate: {learning_rate:g} is too high, try a third of it"
            )
        model = engine.sync()
        validation_loss, figure = validate(model)
        line = Epoch(epoch, step, rate(step - 1), loss, validation_loss, figure)
        history.append(line)
        if best is None or figure > best.validation_f1:
            best = line
            keep(model)
        seconds = time.monotonic() - started
        say(
            f"epoch {epoch}/{epochs}  train loss {line.train_loss:.4f}  validation loss {validation_loss:.4f}  "
            f"validation F1 {figure:.4f}{' (best so far)' if best is line else ''}  {seconds:.0f} s"
        )
    if best is None:
        raise ValueError("epochs must be at least 1")
    return Trained(history, best, step, tokens, padded_tokens)


def linear_schedule(peak: float, steps: int, warmup: int) -> Callable[[int], float]:
    """Learning rate of a step, from 0: rises linearly over ``warmup`` steps to ``peak``, then falls to 0 at the end."""

    def rate(step: int) -> float:
        if step < warmup:
            return peak * (step + 1) / (warmup + 1)
        return peak * max(0.0, (steps - step) / max(1, steps - warmup))

    return rate


def mean_cross_entropy(logits: "torch.Tensor", targets: "torch.Tensor", count: int) -> "torch.Tensor":
    """Cross-entropy in nats, summed and divided by ``count``; logits are float32 (n, classes), targets classes (n,)."""
    import torch

    return torch.nn.functional.cross_entropy(logits, targets, reduction="sum") / count


def write_history(path: Path, history: Sequence[Epoch]) -> None:
    """history.csv, which `dvc plots show` draws; losses and F1 to six decimals."""
    lines = ["epoch,step,learning_rate,train_loss,validation_loss,validation_f1"]
    for line in history:
        figures = (line.train_loss, line.validation_loss, line.validation_f1)
        lines.append(f"{line.epoch},{line.step},{line.learning_rate:.6g}," + ",".join(f"{x:.6f}" for x in figures))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _by_example(windows: Sequence[Encoded]) -> list[list[int]]:
    """Indexes of the windows of each example that has any."""
    groups: dict[int, list[int]] = {}
    for index, window in enumerate(windows):
        groups.setdefault(window.example, []).append(index)
    return list(groups.values())
