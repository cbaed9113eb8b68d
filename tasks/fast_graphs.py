"""Passes over packed sentences, on a card as CUDA graphs: hundreds of small kernels are started in one call.

A step of a small encoder keeps a card busy for a millisecond and its host for twenty, so the host decides the speed. A
graph replays what was recorded at fixed shapes and addresses. Batches are therefore filled up to few forms
(tasks/resident.py); the first batch of a form runs as it stands, the second is recorded, and both give the same bits.
What depends on the task, head and loss, stays outside.
"""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from tasks.fast_attention import Packed
from tasks.fast_dropout import MaskSource, Source
from tasks.fast_passes import Backward, Passes, Tape
from tasks.resident import Form, Laid, Lay, PackedBatch

MOST = 64  # forms that are recorded, the first ones: each takes memory of the card's driver, some megabytes


@dataclass(frozen=True)
class Recording:
    """Both passes over batches of one form, and the tensors that they read and write."""

    forward: "torch.cuda.CUDAGraph"
    backward: "torch.cuda.CUDAGraph"
    windows: Tensor
    laid: Laid
    hidden: Tensor
    gradient: Tensor

    def replay(self, gradient: Tensor) -> None:  # noqa: ARG002
        """The backward pass from what stands in ``gradient``."""
        self.backward.replay()


class PackedPasses:
    """Runs the passes over packed batches and records them where the device can."""

    def __init__(
        self, passes: Passes, compact: Tensor, dropped: Source, dropout: float, attention_dropout: float
    ) -> None:
        """Nothing runs yet.

        Args:
            compact: row of the embedding for each sub-word id, (V,).
            dropped: gives dropout, seeded by who calls.
            dropout: share of hidden states.
            attention_dropout: share of the attention weights.
        """
        self._passes, self._compact, self._source = passes, compact, dropped
        self._dropout, self._attention_dropout = dropout, attention_dropout
        self._recordings: dict[tuple[Form, Lay], Recording | None] = {}
        self._buffers: dict[tuple[str, int], Tensor] = {}
        self._records = compact.device.type == "cuda"
        if self._records:
            self._pool = torch.cuda.graph_pool_handle()
            self._aside = torch.cuda.Stream()  # one, for each has 32 MB of cuBLAS's own

    def __call__(self, batch: PackedBatch) -> tuple[Tensor, Tensor, Backward]:
        """Hidden states of the rows that the head reads, (n, H), its targets, and the backward pass from the former."""
        with torch.no_grad():
            backward: Backward
            recording = self._recording(batch) if self._records else None
            if recording is None:
                laid, hidden, tape = self._run(batch.windows.to(self._compact.device, non_blocking=True), batch)
                gradient, backward = torch.empty_like(hidden), partial(self._passes.backward, tape=tape)
            else:
                recording.windows.copy_(batch.windows, non_blocking=True)
                recording.forward.replay()
                laid, hidden, gradient, backward = (
                    recording.laid,
                    recording.hidden,
                    recording.gradient,
                    recording.replay,
                )
            rows = laid.answered[: batch.rows]
            targets = batch.targets.index_select(0, laid.wanted[: batch.outputs])

            def back(of_rows: Tensor) -> None:
                if not self._passes.idle:
                    backward(gradient.zero_().index_copy_(0, rows, of_rows))

            return hidden.index_select(0, rows), targets, back

    def _run(self, windows: Tensor, batch: PackedBatch) -> tuple[Laid, Tensor, Tape]:
        """The forward pass: where everything lies, hidden states of all sub-words, and what the backward pass needs."""
        laid = batch.lay(windows, batch.form)
        passes = self._passes
        attention = Packed(laid.bounds, batch.form.longest, self._attention_dropout)
        dropped = self._source.several(
            self._dropout, passes.dropouts, (batch.form.sub_words, passes.embedding.words.shape[1])
        )
        hidden, tape = passes.forward(
            self._compact[laid.ids], laid.places, [attention] * len(passes.layers), dropped, None
        )
        return laid, hidden, tape

    def _recording(self, batch: PackedBatch) -> Recording | None:
        """That of the batch's form, made when the form comes for the second time; None at the first and beyond MOST."""
        key = batch.form, batch.lay  # the corpus behind `lay` has to stay, as the addresses of its tensors are recorded
        if key not in self._recordings:
            if len(self._recordings) < MOST:
                self._recordings[key] = None
            return None
        found = self._recordings[key]
        if found is None:
            found = self._recordings[key] = self._record(batch)
        return found

    def _record(self, batch: PackedBatch) -> Recording:
        device = self._compact.device
        forward, backward = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
        if isinstance(self._source, MaskSource):  # on a card it is; keys would be recorded once for all
            forward.register_generator_state(self._source.generator)
        windows = torch.zeros(batch.form.windows, dtype=torch.long, device=device)
        width = self._passes.embedding.words.shape[1]
        hidden, gradient = (self._buffer(name, batch.form.sub_words, width) for name in ("hidden", "gradient"))
        here = torch.cuda.current_stream()
        self._aside.wait_stream(here)
        with torch.cuda.stream(self._aside):
            forward.capture_begin(pool=self._pool, capture_error_mode="thread_local")
            laid, states, tape = self._run(windows, batch)
            hidden.copy_(states)
            forward.capture_end()
            if not self._passes.idle:  # torch warns of empty recordings
                backward.capture_begin(pool=self._pool, capture_error_mode="thread_local")
                self._passes.backward(gradient, tape)
                backward.capture_end()
        here.wait_stream(self._aside)
        return Recording(forward, backward, windows, laid, hidden, gradient)

    def _buffer(self, name: str, rows: int, width: int) -> Tensor:
        """(rows, width) float32 of the memory that all forms of about this size share."""
        size = 1 << (rows - 1).bit_length()
        if (name, size) not in self._buffers:
            self._buffers[name, size] = torch.zeros(size, width, device=self._compact.device)
        return self._buffers[name, size][:rows]
