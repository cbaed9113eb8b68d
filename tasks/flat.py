"""All trained numbers in one float32 vector, with AdamW over it: one pass instead of one per tensor."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

CHUNK = 1 << 19  # numbers that are worked on at once: what one pass has read the next finds in the processor's cache


@dataclass(frozen=True)
class Entry:
    """One tensor to be laid into the vector.

    Attributes:
        name: unique.
        value: first value; copied.
        decay: whether weight decay applies to it.
        rate: factor on the learning rate.
        work: whether the forward pass reads it in the work type.
    """

    name: str
    value: Tensor
    decay: bool
    rate: float
    work: bool


class FlatAdamW:
    """AdamW (Loshchilov and Hutter 2019) over one float32 vector.

    Attributes:
        master: the parameters, shape (N,), float32.
        gradient: same shape; ``views`` and ``gradients`` give each entry its part in its own shape.
        work: the parameters that the forward pass reads, in the work type; in float32 the master's own part.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        work_type: torch.dtype,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        weight_decay: float,
        device: torch.device,
    ) -> None:
        ordered = sorted(entries, key=lambda entry: (not entry.work, entry.rate, not entry.decay))
        total = sum(entry.value.numel() for entry in ordered)
        split = sum(entry.value.numel() for entry in ordered if entry.work)
        self.betas, self.epsilon = betas, epsilon
        self.master = torch.empty(total, device=device)
        self.gradient = torch.zeros(total, device=device)
        self.first = torch.zeros(total, device=device)
        self.second = torch.zeros(total, device=device)
        self.steps = torch.zeros((), device=device)
        self._low = work_type != torch.float32
        self._split = split
        self.work = torch.empty(split, dtype=work_type, device=device) if self._low else self.master[:split]
        self._work_gradient = torch.zeros(split, dtype=work_type, device=device) if self._low else self.gradient[:split]
        self.views: dict[str, Tensor] = {}
        self.gradients: dict[str, Tensor] = {}  # where backward writes
        self._groups: dict[tuple[float, float], list[tuple[int, int]]] = {}
        start = 0
        for entry in ordered:
            end = start + entry.value.numel()
            self.master[start:end] = entry.value.detach().flatten()
            source = self.work if entry.work else self.master
            target = self._work_gradient if entry.work else self.gradient
            self.views[entry.name] = source[start:end].view_as(entry.value)
            self.gradients[entry.name] = target[start:end].view_as(entry.value)
            spans = self._groups.setdefault((entry.rate, weight_decay if entry.decay else 0.0), [])
            if spans and spans[-1][1] == start:
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((start, end))
            start = end
        self._places = {name: (view.storage_offset(), view.numel(), view.shape) for name, view in self.views.items()}
        self._refresh()

    def masters(self) -> dict[str, Tensor]:
        """Views of the float32 parameters by name."""
        return {name: self.master[at : at + count].view(shape) for name, (at, count, shape) in self._places.items()}

    def collect(self) -> Tensor:
        """Take the gradients that backward wrote in the work type into the float32 vector.

        Returns:
            The norm of all gradients, shape ().
        """
        norms = []
        for start in range(0, len(self.gradient), CHUNK):
            part = self.gradient[start : start + CHUNK]
            if self._low and start < self._split:
                low = self._work_gradient[start : start + CHUNK]
                part[: len(low)].copy_(low)
            norms.append(torch.linalg.vector_norm(part))
        return torch.linalg.vector_norm(torch.stack(norms))

    def step(self, rate: float, max_norm: float, norm: Tensor) -> None:
        """One update with gradients scaled down to ``max_norm``.

        Args:
            rate: learning rate.
            max_norm: of the gradient.
            norm: of the gradients, shape ().
        """
        scale = (norm / max_norm).clamp(min=1.0)
        self.steps += 1
        for (factor, decay), spans in self._groups.items():
            for part in (slice(at, min(at + CHUNK, end)) for start, end in spans for at in range(start, end, CHUNK)):
                torch._fused_adamw_(
                    [self.master[part]],
                    [self.gradient[part]],
                    [self.first[part]],
                    [self.second[part]],
                    [],
                    [self.steps],
                    lr=rate * factor,
                    beta1=self.betas[0],
                    beta2=self.betas[1],
                    weight_decay=decay,
                    eps=self.epsilon,
                    amsgrad=False,
                    maximize=False,
                    grad_scale=scale,
                    found_inf=None,
                )
                if self._low and part.start < self._split:
                    stop = min(part.stop, self._split)
                    self.work[part.start : stop].copy_(self.master[part.start : stop])

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint holds; the tensors themselves, not copies."""
        return {"master": self.master, "first": self.first, "second": self.second, "steps": self.steps}

    def load(self, state: dict[str, Tensor]) -> None:
        """Go on from a state."""
        for name, tensor in self.state().items():
            tensor.copy_(state[name])
        self._refresh()

    def _refresh(self) -> None:
        if self._low:
            self.work.copy_(self.master[: self._split])
