"""The training loop: straight-line over epochs and steps, the best epoch on validation is kept."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
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

    def weights(self) -> dict[str, "torch.Tensor"]:
        """A copy of the weights."""

    def set_weights(self, weights: dict[str, "torch.Tensor"]) -> None:
        """Take over such a copy."""

    def state(self) -> dict[str, "torch.Tensor"]:
        """All that the next step depends on."""

    def load(self, state: dict[str, "torch.Tensor"]) -> None:
        """Go on from such a state."""


class Store(Protocol):
    """Where a run's position is kept: tasks.checkpoints.Checkpoints."""

    def load(self) -> tuple[int, dict[str, "torch.Tensor"], dict[str, Any]] | None:
        """Step, tensors and state of the newest whole checkpoint."""

    def due(self, step: int) -> bool:
        """Whether to save after ``step``."""

    def save(self, step: int, tensors: dict[str, "torch.Tensor"], state: dict[str, Any]) -> bool:
        """Write one; False where the disk refused."""

    def leave_if_told(self) -> None:
        """End the process if it was told to."""


@dataclass
class Position:
    """How far a run is: with the engine's state and the best weights, all that it needs to go on."""

    epoch: int = 1
    batch: int = 0  # of the epoch, done
    step: int = 0
    tokens: int = 0
    padded_tokens: int = 0
    labelled: int = 0  # words of the epoch
    history: list[Epoch] = field(default_factory=list)

    @property
    def best(self) -> Epoch | None:
        """The best epoch, the first of equals."""
        return max(self.history, key=lambda line: line.validation_f1, default=None)


def train(
    engine: Engine,
    windows: Sequence[Encoded],
    validate: Callable[[Any], tuple[float, float]],
    *,
    store: Store | None,
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
    """Fine-tune the model of ``engine``; at the end it has the weights of the best epoch.

    Linear warm-up and linear decay to 0; the loss of a step is the mean cross-entropy over the labelled words of its
    examples, however many windows they have. Order and dropout follow from seed, epoch and step alone, so that a run
    that goes on from a checkpoint ends with the same bits as one that was never interrupted.

    Args:
        windows: of all training examples, in their order.
        validate: ``model -> (loss, headline metric)`` on validation.
        store: keeps checkpoints; None keeps none.
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
    at = Position()
    total = torch.zeros((), device=machine.device)  # loss of the epoch so far
    best: dict[str, torch.Tensor] = {}
    if store is not None and (found := store.load()) is not None:
        at, total, best = _resume(engine, found, machine)
        say(f"goes on after step {at.step} of {steps}")
    clock = progress(range(at.step, steps), steps - at.step, "fine-tune")  # over all epochs: it knows the time left
    while at.epoch <= epochs:
        started = time.monotonic()
        for batch in epoch_batches(lengths, batch_size=batch_size, seed=seed, epoch=at.epoch)[at.batch :]:
            next(clock, None)
            chosen = [windows[index] for example in batch for index in groups[example]]
            tensors = collate(chosen, pad_id=pad_id, device=machine.device)
            labelled = max(1, sum(len(window.parts) for window in chosen))
            total += labelled * engine.step(
                [tensors],
                partial(mean_cross_entropy, count=labelled),
                number=at.step,
                rate=rate(at.step),
                max_norm=max_gradient_norm,
            )
            at.batch += 1
            at.step += 1
            at.labelled += labelled
            at.tokens += sum(len(window.input_ids) for window in chosen)
            at.padded_tokens += tensors["input_ids"].numel()
            if on_step is not None:
                on_step(at.step)
            if store is not None and store.due(at.step):
                _save(store, engine, at, total, best)
                store.leave_if_told()
        loss = total.item() / at.labelled
        if not math.isfinite(loss):
            raise UserError(
                f"the loss is no longer a number in epoch {at.epoch}; "
                f"params.yaml: finetune.learning_rate: {learning_rate:g} is too high, try a third of it"
            )
        validation_loss, figure = validate(engine.sync())
        line = Epoch(at.epoch, at.step, rate(at.step - 1), loss, validation_loss, figure)
        at.history.append(line)
        if at.best is line:
            best = engine.weights()
        say(
            f"epoch {line.epoch}/{epochs}  train loss {loss:.4f}  validation loss {validation_loss:.4f}  "
            f"validation F1 {figure:.4f}{' (best so far)' if at.best is line else ''}  "
            f"{time.monotonic() - started:.0f} s"
        )
        at.epoch, at.batch, at.labelled = at.epoch + 1, 0, 0
        total.zero_()
    if at.best is None:
        raise ValueError("epochs must be at least 1")
    engine.set_weights(best)
    engine.sync()
    return Trained(at.history, at.best, at.step, at.tokens, at.padded_tokens)


def _save(store: Store, engine: Engine, at: Position, total: "torch.Tensor", best: dict[str, "torch.Tensor"]) -> None:
    tensors = {f"engine.{name}": value for name, value in engine.state().items()}
    tensors |= {f"best.{name}": value for name, value in best.items()}
    store.save(at.step, {**tensors, "total": total}, asdict(at))


def _resume(
    engine: Engine, found: tuple[int, dict[str, "torch.Tensor"], dict[str, Any]], machine: Machine
) -> tuple[Position, "torch.Tensor", dict[str, "torch.Tensor"]]:
    _, tensors, state = found
    engine.load({name[7:]: value for name, value in tensors.items() if name.startswith("engine.")})
    best = {name[5:]: value for name, value in tensors.items() if name.startswith("best.")}
    at = Position(**{**state, "history": [Epoch(**line) for line in state["history"]]})
    return at, tensors["total"].to(machine.device), best


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
