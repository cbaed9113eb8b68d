"""The training loop: straight-line over epochs and steps, the best epoch on validation is kept."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.adapters import Encoded
from tasks.batches import collate, epoch_batches
from tasks.compute import Machine
from tasks.encoding import IGNORED
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


def train(
    model: Any,
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
    weight_decay: float,
    warmup_ratio: float,
    max_gradient_norm: float,
) -> Trained:
    """Fine-tune ``model`` in place.

    AdamW (Loshchilov and Hutter 2019) with linear warm-up and linear decay to 0; the loss of a step is the mean
    cross-entropy over the labelled words of its examples, however many windows they have.

    Args:
        model: takes input_ids and attention_mask, gives logits of shape (windows, sub-words, classes).
        windows: of all training examples, in their order.
        validate: ``model -> (loss, headline metric)`` on validation.
        keep: called with the model after each epoch that is better than all before it.
        pad_id: sub-word id of padding.
        batch_size: examples per optimizer step.
        learning_rate: peak.
        warmup_ratio: share of all steps.
    """
    import torch
    from accelerate import Accelerator

    accelerator = Accelerator(mixed_precision="bf16" if machine.bf16 else "no", cpu=machine.device.type == "cpu")
    groups = _by_example(windows)
    lengths = [sum(len(windows[index].input_ids) for index in group) for group in groups]
    steps = epochs * math.ceil(len(groups) / batch_size)
    rate = linear_schedule(learning_rate, steps, round(warmup_ratio * steps))
    model.to(machine.device)
    parameters = parameter_groups(model, weight_decay)
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, fused=machine.device.type != "mps")
    model, optimizer = accelerator.prepare(model, optimizer)

    clock = progress(range(steps), steps, "fine-tune")  # counts steps over all epochs, so that it knows the time left
    history: list[Epoch] = []
    best: Epoch | None = None
    step = tokens = padded_tokens = 0
    for epoch in range(1, epochs + 1):
        started = time.monotonic()
        model.train()
        batches = epoch_batches(lengths, batch_size=batch_size, seed=seed, epoch=epoch)
        losses = torch.zeros(2, device=machine.device)
        for batch in batches:
            next(clock, None)
            chosen = [windows[index] for example in batch for index in groups[example]]
            tensors = collate(chosen, pad_id=pad_id, device=machine.device)
            for group in optimizer.param_groups:
                group["lr"] = rate(step)
            with accelerator.autocast():
                logits = model(input_ids=tensors["input_ids"], attention_mask=tensors["attention_mask"]).logits
            total, count = cross_entropy(logits, tensors["labels"])
            accelerator.backward(total / count)
            accelerator.clip_grad_norm_(model.parameters(), max_gradient_norm)
            optimizer.step()
            optimizer.zero_grad()
            losses += torch.stack((total.detach(), count))
            step += 1
            tokens += sum(len(window.input_ids) for window in chosen)
            padded_tokens += tensors["input_ids"].numel()
        loss, count = losses.tolist()
        if not math.isfinite(loss):
            _diverged(epoch, learning_rate)
        plain = accelerator.unwrap_model(model)
        validation_loss, figure = validate(plain)
        line = Epoch(epoch, step, rate(step - 1), loss / count, validation_loss, figure)
        history.append(line)
        if best is None or figure > best.validation_f1:
            best = line
            keep(plain)
        say(
            f"epoch {epoch}/{epochs}  train loss {line.train_loss:.4f}  validation loss {validation_loss:.4f}  "
            f"validation F1 {figure:.4f}{' (best so far)' if best is line else ''}  {time.monotonic() - started:.0f} s"
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


def parameter_groups(model: Any, weight_decay: float) -> list[dict[str, Any]]:
    """Parameters with decay (matrices) and without (biases and norms, which have one dimension)."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in trained if parameter.ndim > 1], "weight_decay": weight_decay},
        {"params": [parameter for parameter in trained if parameter.ndim <= 1], "weight_decay": 0.0},
    ]


def cross_entropy(logits: "torch.Tensor", labels: "torch.Tensor") -> tuple["torch.Tensor", "torch.Tensor"]:
    """Summed cross-entropy over the labelled positions, in float32, and how many there are (at least 1).

    Args:
        logits: shape (windows, sub-words, classes).
        labels: shape (windows, sub-words), IGNORED where the loss looks away.
    """
    import torch

    total = torch.nn.functional.cross_entropy(
        logits.float().flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    return total, (labels != IGNORED).sum().clamp(min=1).float()


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


def _diverged(epoch: int, learning_rate: float) -> None:
    from tasks.errors import UserError

    raise UserError(
        f"the loss is no longer a number in epoch {epoch}; "
        f"params.yaml: finetune.learning_rate: {learning_rate:g} is too high, try a third of it"
    )
