"""What a training run did, epoch by epoch, and history.csv."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Epoch:
    """One line of history.csv.

    Attributes:
        epoch: from 1; the last one may be cut short by a budget.
        step: optimizer steps done so far.
        learning_rate: of the last step.
        train_loss: mean cross-entropy per labelled word over the epoch, in nats; with the class weights of the run.
        validation_loss: the same on validation after the epoch, without class weights.
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
        examples: that the model saw, each as often as it did.
        tokens: sub-words that the model saw, special ones counted, padding not.
        padded_tokens: the same with padding.
    """

    history: list[Epoch]
    best: Epoch
    steps: int
    examples: int
    tokens: int
    padded_tokens: int


def tell_epoch(line: Epoch) -> None:
    """Append the epoch's figure to the file that HONE_EPOCHS names, for who watches the run and may end it."""
    if watched := os.environ.get("HONE_EPOCHS"):
        with Path(watched).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"epoch": line.epoch, "figure": line.validation_f1}) + "\n")


def write_history(path: Path, history: Sequence[Epoch]) -> None:
    """history.csv, which `dvc plots show` draws; losses and F1 to six decimals."""
    lines = ["epoch,step,learning_rate,train_loss,validation_loss,validation_f1"]
    for line in history:
        figures = (line.train_loss, line.validation_loss, line.validation_f1)
        lines.append(f"{line.epoch},{line.step},{line.learning_rate:.6g}," + ",".join(f"{x:.6f}" for x in figures))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
