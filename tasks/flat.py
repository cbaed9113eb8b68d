"""All trained numbers in one float32 vector, with AdamW over it: one pass instead of one per tensor."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tasks.openmp import available

if TYPE_CHECKING:
    from tasks.late_rows import LateRows

CHUNK = 1 << 20  # numbers that are worked on at once: what one pass has read the next finds in the processor's cache
ROW = 1 << 10  # numbers whose norm one thread takes: torch takes that of a whole vector on a single one


@dataclass(frozen=True)
class Entry:
    """One tensor to be laid into the vector.

    Attributes:
        name: unique.
        value: first value; copied.
        decay: whether weight decay applies to it.
        rate: factor on the learning rate.
        work: whether the forward pass reads it in the work type.
        late: whether it is a table of which a step reads few rows, those that `FlatAdamW.read` is told.
    """

    name: str
    value: Tensor
    decay: bool
    rate: float
    work: bool
    late: bool = False


class FlatAdamW:
    """AdamW (Loshchilov and Hutter 2019) over one float32 vector.

    Attributes:
        work: the parameters that the forward pass reads, in the work type; in float32 the master's own part.
        views: each entry's part of ``work`` or ``master`` in its own shape.
        gradients: where backward writes each entry's gradient, in the type of its view.
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
        self._master = torch.empty(total, device=device)
        self.first = torch.zeros(total, device=device)
        self.second = torch.zeros(total, device=device)
        self.steps = torch.zeros((), device=device)
        self._chunk = CHUNK if device.type == "cpu" else 8 * CHUNK  # on a card each piece starts kernels of its own
        self._compiled = device.type == "cpu" and available()
        self._low = work_type != torch.float32
        self._split = split
        self.work = torch.empty(split, dtype=work_type, device=device) if self._low else self._master[:split]
        self._work_gradient = torch.zeros(split, dtype=work_type, device=device)
        self._plain_gradient = torch.zeros(total - split, device=device)
        self._scratch = torch.empty(min(self._chunk, split) if self._low else 0, device=device)
        self._given: Tensor | None = None
        self._rate = torch.zeros((), device=device)
        self._recorded_norm: float | None = None
        self._graph: Any = None
        self.views: dict[str, Tensor] = {}
        self.gradients: dict[str, Tensor] = {}
        self._groups: dict[tuple[float, float], list[tuple[int, int]]] = {}
        self._late: LateRows | None = None
        start = 0
        for entry in ordered:
            end = start + entry.value.numel()
            self._master[start:end] = entry.value.detach().flatten()
            source = self.work if entry.work else self._master
            target = self._work_gradient[start:end] if entry.work else self._plain_gradient[start - split : end - split]
            self.views[entry.name] = source[start:end].view_as(entry.value)
            self.gradients[entry.name] = target.view_as(entry.value)
            group = entry.rate, weight_decay if entry.decay else 0.0
            if entry.late and self._compiled:
                self._set_late(entry, slice(start, end), group)
                start = end
                continue
            spans = self._groups.setdefault(group, [])
            if spans and spans[-1][1] == start:
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((start, end))
            start = end
        self._places = {name: (view.storage_offset(), view.numel(), view.shape) for name, view in self.views.items()}
        self._refresh()

    @property
    def master(self) -> Tensor:
        """The parameters, shape (N,), float32."""
        if self._late is not None:
            self._late.finish()
        return self._master

    def read(self, ids: Tensor) -> None:
        """Before each batch: the rows of the late table that it reads, int64, of any shape."""
        if self._late is not None:
            self._late.read(ids)

    @property
    def clears(self) -> bool:
        """Whether `read` clears the gradient of the late table, which backward then only adds to."""
        return self._late is not None

    def masters(self) -> dict[str, Tensor]:
        """Views of the float32 parameters by name."""
        master = self.master
        return {name: master[at : at + count].view(shape) for name, (at, count, shape) in self._places.items()}

    def norm(self) -> Tensor:
        """Norm of the gradients that backward wrote, or that were put, shape ()."""
        if self._compiled:
            from tasks.flat_kernels import norm

            if self._given is not None:
                return norm([self._given])
            if self._late is None:
                return norm([self._work_gradient, self._plain_gradient])
            at = self._late_at
            before, behind = (
                self._plain_gradient[: at.start - self._split],
                self._plain_gradient[at.stop - self._split :],
            )
            return norm([self._work_gradient, before, self._late.norm_parts(), behind])
        parts = []
        for part in self._parts(0, len(self._master)):
            gradient = self._gradient(part)
            rows = gradient[: len(gradient) // ROW * ROW].view(-1, ROW)
            rest = gradient[rows.numel() :]
            parts += [torch.linalg.vector_norm(rows, dim=1), torch.linalg.vector_norm(rest).view(1)]
        whole: Tensor = torch.linalg.vector_norm(torch.cat(parts))
        return whole

    def collect(self) -> Tensor:
        """The gradients that backward wrote as one new float32 vector, shape (N,)."""
        return torch.cat([self._gradient(part).clone() for part in self._parts(0, len(self._master))])

    def put(self, gradient: Tensor) -> None:
        """Take ``gradient``, shape (N,), float32, for the next step instead of what backward wrote."""
        self._given = gradient

    def step(self, rate: float, max_norm: float) -> None:
        """One update with gradients scaled down to ``max_norm``.

        On a card the learning rate lies there too. From the second update on with gradients as backward wrote them, it
        is recorded and replayed, as long as ``max_norm`` stays.
        """
        if self._master.device.type != "cuda":
            self._update(rate, max_norm)
            return
        self._rate.fill_(rate)
        if self._given is not None:
            self._update(self._rate, max_norm)
            return
        if self._recorded_norm != max_norm:
            self._update(self._rate, max_norm)
            self._recorded_norm, self._graph = max_norm, None
            return
        if self._graph is None:
            self._graph = torch.cuda.CUDAGraph()
            here, aside = torch.cuda.current_stream(), torch.cuda.Stream()
            aside.wait_stream(here)
            with torch.cuda.stream(aside):
                self._graph.capture_begin(capture_error_mode="thread_local")
                self._update(self._rate, max_norm)
                self._graph.capture_end()
            here.wait_stream(aside)
        self._graph.replay()

    def _update(self, rate: float | Tensor, max_norm: float) -> None:
        scale = (self.norm() / max_norm).clamp(min=1.0)
        self.steps += 1
        if self._compiled:
            self._update_compiled(float(rate), scale.item())
            self._given = None
            return
        for (factor, decay), spans in self._groups.items():
            for part in (part for span in spans for part in self._parts(*span)):
                torch._fused_adamw_(
                    [self._master[part]],
                    [self._gradient(part)],
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
                    self.work[part].copy_(self._master[part])
        self._given = None

    def _update_compiled(self, rate: float, scale: float) -> None:
        """As `_update`, each span in one pass that also takes the gradient as it lies and writes the work type."""
        from tasks.flat_kernels import Rates, update

        steps = self.steps.item()
        for (factor, decay), spans in self._groups.items():
            rates = Rates.of(rate * factor, decay, self.betas, self.epsilon, steps)
            for part in (part for span in spans for part in self._parts(*span, len(self._master))):
                low = self._low and part.start < self._split
                if self._given is not None:
                    gradient = self._given[part]
                elif part.start < self._split:
                    gradient = self._work_gradient[part]
                else:
                    gradient = self._plain_gradient[part.start - self._split : part.stop - self._split]
                work = self.work[part] if low else None
                update(self._master[part], self.first[part], self.second[part], gradient, work, scale, rates)
        if self._late is not None:
            factor, decay = self._late_group
            rates = Rates.of(rate * factor, decay, self.betas, self.epsilon, steps)
            given = None if self._given is None else self._given[self._late_at].view(self._late_shape)
            self._late.update(given, scale, rates)

    def _set_late(self, entry: Entry, at: slice, group: tuple[float, float]) -> None:
        from tasks.late_rows import LateRows

        self._late_at, self._late_group, self._late_shape = at, group, entry.value.shape
        parts = (self._master[at], self.first[at], self.second[at], self.gradients[entry.name])
        self._late = LateRows(*(part.view(self._late_shape) for part in parts))

    def _parts(self, start: int, end: int, most: int = 0) -> Iterator[slice]:
        """Slices of not too many numbers, none of which lies on both sides of the split."""
        while start < end:
            stop = min(start + (most or self._chunk), end, self._split if start < self._split else end)
            yield slice(start, stop)
            start = stop

    def _gradient(self, part: slice) -> Tensor:
        """The gradient of a part in float32; overwritten by the next call."""
        if self._given is not None:
            return self._given[part]
        if part.start >= self._split:
            return self._plain_gradient[part.start - self._split : part.stop - self._split]
        low = self._work_gradient[part]
        return self._scratch[: len(low)].copy_(low) if self._low else low

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint holds; the tensors themselves, not copies."""
        return {"master": self.master, "first": self.first, "second": self.second, "steps": self.steps}

    def load(self, state: dict[str, Tensor]) -> None:
        """Go on from a state."""
        for name, tensor in self.state().items():
            tensor.copy_(state[name])
        if self._late is not None:
            self._late.restart(int(self.steps.item()))
        self._refresh()

    def _refresh(self) -> None:
        if self._low:
            self.work.copy_(self._master[: self._split])
