"""How far a run of training is, and how that is laid out in a checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tasks.history import Epoch

if TYPE_CHECKING:
    import torch

    Tensors = dict[str, torch.Tensor]


@dataclass
class Position:
    """How far a run is: with the engine's state and the best weights, all that it needs to go on."""

    epoch: int = 1
    batch: int = 0  # of the epoch, done
    step: int = 0
    examples: int = 0
    tokens: int = 0
    padded_tokens: int = 0
    labelled: float = 0  # words of the epoch, each as much as its class weighs
    rate: float = 0.0  # of the last step
    seconds: float = 0.0  # of training, over all processes
    history: list[Epoch] = field(default_factory=list)

    @classmethod
    def read(cls, state: Mapping[str, Any]) -> "Position":
        """What `dataclasses.asdict` made of one."""
        return cls(**{**state, "history": [Epoch(**line) for line in state["history"]]})

    @property
    def best(self) -> Epoch | None:
        """The best epoch, the first of equals."""
        return max(self.history, key=lambda line: line.validation_f1, default=None)


def joined(engine: "Tensors", best: "Tensors", total: "torch.Tensor") -> "Tensors":
    """The tensors of a checkpoint: the engine's state, the best weights, the loss of the epoch so far."""
    named = {f"engine.{name}": value for name, value in engine.items()}
    return named | {f"best.{name}": value for name, value in best.items()} | {"total": total}


def parted(tensors: "Tensors") -> tuple["Tensors", "Tensors", "torch.Tensor"]:
    """What `joined` laid together."""
    engine, best = (
        {name.removeprefix(part): value for name, value in tensors.items() if name.startswith(part)}
        for part in ("engine.", "best.")
    )
    return engine, best, tensors["total"]
