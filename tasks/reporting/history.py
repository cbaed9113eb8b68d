"""The course of training, epoch by epoch."""

import csv
from dataclasses import dataclass
from pathlib import Path

from tasks.errors import UserError


@dataclass(frozen=True, slots=True)
class Epoch:
    """One line of history.csv; a figure that diverged is not a number."""

    number: int
    step: int
    learning_rate: float
    train_loss: float
    validation_loss: float
    score: float


def read_history(path: Path) -> tuple[Epoch, ...]:
    """The epochs of history.csv, at least one."""
    columns = ("epoch", "step", "learning_rate", "train_loss", "validation_loss", "validation_f1")
    epochs = []
    for number, row in enumerate(read_csv(path, columns), start=2):
        try:
            epochs.append(Epoch(int(row[0]), int(row[1]), *map(float, row[2:])))
        except ValueError as error:
            raise UserError(f"{path}:{number}: {error}; 'dvc repro --force finetune' writes it anew") from None
    if not epochs:
        raise UserError(f"{path}: holds no epoch; 'dvc repro --force finetune' writes it anew")
    return tuple(epochs)


def read_csv(path: Path, columns: tuple[str, ...]) -> list[list[str]]:
    """The named columns of each line; UserError where the file is missing, or a column or line is broken."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = list(csv.reader(file)) or [[]]
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; 'dvc repro' makes it") from None
    missing = [column for column in columns if column not in header]
    if missing:
        raise UserError(f"{path}:1: no column {', '.join(missing)}; 'dvc repro --force' writes it anew")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise UserError(
                f"{path}:{number}: {len(row)} columns, {len(header)} expected; 'dvc repro --force' writes it anew"
            )
    return [[row[header.index(column)] for column in columns] for row in rows]
