"""The training loop: straight-line over epochs and steps, the best epoch on validation is kept."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from tasks.adapters import Encoded
from tasks.batches import collate, epoch_batches
from tasks.compute import Machine
from tasks.errors import UserError
from tasks.history import Epoch, Trained, tell_epoch
from tasks.objectives import CLASSES, Objective
from tasks.position import Position, joined, parted
from tasks.progress import progress
from tasks.resident import ResidentWindows
from tasks.schedules import Shape, schedule
from tasks.stage import say
from tasks.stopping import Budget, epochs_without_gain

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Plan:
    """How to train, as the finetune block of params.yaml says it.

    Attributes:
        epochs: passes over train, at most.
        batch_size: examples per optimizer step.
        micro_batch_size: examples that are in memory at once; 0 takes the whole step.
        learning_rate: peak.
        schedule: shape of the learning rate after the warm-up.
        warmup_ratio: share of all steps.
        max_gradient_norm: gradients are scaled down to it.
        patience: epochs without gain on validation after which the run ends; 0 never ends it.
        minimum_gain: a gain is more than this, in units of the headline metric.
        max_steps: optimizer steps at most, 0 for no such limit; the schedule then ends there.
        max_minutes: of training at most, 0 for no such limit; what comes out then depends on the clock.
        class_weights: weight of each class in the loss; None where all count alike.
    """

    epochs: int
    batch_size: int
    micro_batch_size: int
    learning_rate: float
    schedule: Shape
    warmup_ratio: float
    max_gradient_norm: float
    patience: int
    minimum_gain: float
    max_steps: int
    max_minutes: float
    class_weights: list[float] | None


class Engine(Protocol):
    """What does the steps: FastEngine or PlainEngine.

    Attributes:
        packs: whether it wants the sentences of a batch packed instead of padded, on a GPU.
    """

    packs: bool

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


def train(
    engine: Engine,
    windows: Sequence[Encoded],
    validate: Callable[[Any], tuple[float, float]],
    plan: Plan,
    *,
    store: Store | None,
    pad_id: int,
    machine: Machine,
    seed: int,
    objective: Objective = CLASSES,
    figure_name: str = "F1",
    on_step: Callable[[int], None] | None = None,
    rank: int = 0,
    processes: int = 1,
) -> Trained:
    """Fine-tune the model of ``engine``; at the end it has the weights of the best epoch.

    The loss of a step is the mean over what the objective counts in its examples, labelled words for instance, however
    many windows and micro batches they have. Order and dropout follow from seed, epoch and step alone, so that a run
    that goes on from a checkpoint ends with the same bits as one that was never interrupted, unless
    ``plan.max_minutes`` ends it.

    Args:
        windows: of all training examples, in their order.
        validate: ``model -> (loss, headline metric)`` on validation.
        store: keeps checkpoints; None keeps none.
        pad_id: sub-word id of padding.
        objective: what the head's outputs are compared with.
        figure_name: what the headline is called in what is said.
        on_step: called after each step with the number of steps done.
        rank: number of this process, of ``processes`` that share the examples of each step; the engine adds up their
            gradients and losses. What is counted is counted over all.
    """
    import torch

    groups = _by_example(windows)
    sizes = [objective.sizes(window) for window in windows]
    lengths = [sum(sum(sizes[index]) for index in group) for group in groups]
    steps = plan.epochs * math.ceil(len(groups) / plan.batch_size)
    steps = min(steps, plan.max_steps or steps)
    rate = schedule(plan.schedule, plan.learning_rate, steps, round(plan.warmup_ratio * steps))
    weights = None if plan.class_weights is None else torch.tensor(plan.class_weights, device=machine.device)
    batch_of = _batches_on(machine, windows, pad_id, objective, packed=engine.packs)
    at = Position()
    total = torch.zeros((), device=machine.device)  # loss of the epoch so far
    best: dict[str, torch.Tensor] = {}
    if store is not None and (found := store.load()) is not None:
        _, saved, state = found
        state_of_engine, best, total = parted(saved)
        engine.load(state_of_engine)
        at, total = Position.read(state), total.to(machine.device)
        for line in at.history:
            tell_epoch(line)
        say(f"goes on after step {at.step} of {steps}")
    budget = Budget(steps, plan.max_minutes, seconds=at.seconds)
    clock = progress(range(at.step, steps), steps - at.step, "fine-tune")  # over all epochs: it knows the time left
    while at.epoch <= plan.epochs and (at.batch > 0 or at.step == 0 or not budget.spent(at.step)):
        started = time.monotonic()
        for batch in epoch_batches(lengths, batch_size=plan.batch_size, seed=seed, epoch=at.epoch)[at.batch :]:
            if at.batch > 0 and budget.spent(at.step):
                break
            next(clock, None)
            indexes = [index for example in batch for index in groups[example]]
            chosen = [windows[index] for index in indexes]
            shares = [
                [[index for example in part for index in groups[example]] for part in parts]
                for parts in (_parts(batch[first::processes], plan.micro_batch_size) for first in range(processes))
            ]
            tensors = [batch_of(part) for part in shares[rank]]
            labelled = objective.weight(chosen, plan.class_weights)
            at.rate = rate(budget.place(at.step))
            total += labelled * engine.step(
                tensors,
                partial(_loss, objective, labelled, weights),
                number=at.step,
                rate=at.rate,
                max_norm=plan.max_gradient_norm,
            )
            at.batch += 1
            at.step += 1
            at.labelled += labelled
            at.examples += len(batch)
            tokens = sum(sum(sizes[index]) for index in indexes)
            at.tokens += tokens
            at.padded_tokens += (
                tokens
                if engine.packs
                else sum(
                    len(part) * sum(map(max, zip(*(sizes[index] for index in part), strict=True)))
                    for parts in shares
                    for part in parts
                )
            )
            if on_step is not None:
                on_step(at.step)
            if store is not None and store.due(at.step):
                at.seconds = budget.seconds
                store.save(at.step, joined(engine.state(), best, total), asdict(at))
                store.leave_if_told()
        loss = total.item() / at.labelled
        if not math.isfinite(loss):
            raise UserError(
                f"the loss is no longer a number in epoch {at.epoch}; "
                f"params.yaml: finetune.learning_rate: {plan.learning_rate:g} is too high, try a third of it"
            )
        validation_loss, figure = validate(engine.sync())
        line = Epoch(at.epoch, at.step, at.rate, loss, validation_loss, figure)
        at.history.append(line)
        tell_epoch(line)
        if at.best is line:
            best = engine.weights()
        say(
            f"epoch {line.epoch}/{plan.epochs}  train loss {loss:.4f}  validation loss {validation_loss:.4f}  "
            f"validation {figure_name} {figure:.4f}{' (best so far)' if at.best is line else ''}  "
            f"{time.monotonic() - started:.0f} s"
        )
        at.epoch, at.batch, at.labelled = at.epoch + 1, 0, 0
        total.zero_()
        without = epochs_without_gain([past.validation_f1 for past in at.history], plan.minimum_gain)
        if 0 < plan.patience <= without and at.epoch <= plan.epochs:
            say(f"stops early: {without} epochs without a gain of more than {plan.minimum_gain:g} (finetune.patience)")
            break
        if at.step < steps and budget.spent(at.step):
            say(f"stops after step {at.step} of {steps}: finetune.max_minutes: {plan.max_minutes:g} are over")
    if at.best is None:
        raise ValueError("epochs must be at least 1")
    engine.set_weights(best)
    engine.sync()
    return Trained(at.history, at.best, at.step, at.examples, at.tokens, at.padded_tokens)


def _loss(
    objective: Objective,
    count: float,
    weights: "torch.Tensor | None",
    outputs: "torch.Tensor",
    targets: "torch.Tensor",
) -> "torch.Tensor":
    return objective.loss(outputs, targets, count, weights)


def _batches_on(
    machine: Machine, windows: Sequence[Encoded], pad_id: int, objective: Objective, *, packed: bool
) -> Callable[[list[int]], dict[str, Any]]:
    """How the windows of some indexes become tensors: from copies that stay on a GPU where a head reads them."""
    if machine.device.type == "cuda" and not objective.whole_model:
        return ResidentWindows(windows, pad_id=pad_id, device=machine.device, objective=objective, packed=packed).batch
    return lambda indexes: collate(
        [windows[index] for index in indexes], pad_id=pad_id, device=machine.device, objective=objective
    )


def _parts(batch: list[int], size: int) -> list[list[int]]:
    """The batch in parts of ``size``; whole where that is 0. An empty one has none."""
    size = size or max(len(batch), 1)
    return [batch[at : at + size] for at in range(0, len(batch), size)]


def _by_example(windows: Sequence[Encoded]) -> list[list[int]]:
    """Indexes of the windows of each example that has any."""
    groups: dict[int, list[int]] = {}
    for index, window in enumerate(windows):
        groups.setdefault(window.example, []).append(index)
    return list(groups.values())
