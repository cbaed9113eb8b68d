"""All windows in the memory of a GPU, so that making a batch moves nothing but a few numbers to it and never waits."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from tasks.adapters import Encoded
from tasks.objectives import CLASSES, Objective

if TYPE_CHECKING:
    import torch

FILL = 64  # sub-words up to a multiple of which a packed batch is filled up
MANY = 16  # windows likewise


@dataclass(frozen=True)
class Form:
    """The sizes of a packed batch, filled up so that there are few: all that a recorded pass depends on.

    Attributes:
        sub_words: in all, a multiple of FILL; what lies behind those of the batch is a window of padding.
        windows: how many, a multiple of MANY; those behind the batch's are empty.
        longest: at least the sub-words of the longest window, a multiple of FILL.
    """

    sub_words: int
    windows: int
    longest: int


@dataclass(frozen=True)
class Laid:
    """Where everything of a packed batch lies, int64 but for ``bounds``; all that is behind the batch's own is filling.

    Attributes:
        ids: all sub-words, (T,).
        places: of each in its window, (T,).
        bounds: where each window begins, the filling last, and the end, int32 (B + 2,).
        answered: the sub-words that the head reads, (T,).
        wanted: the targets that its outputs are compared with, as rows of all targets, (T,).
    """

    ids: "torch.Tensor"
    places: "torch.Tensor"
    bounds: "torch.Tensor"
    answered: "torch.Tensor"
    wanted: "torch.Tensor"


Lay = Callable[["torch.Tensor", Form], Laid]


@dataclass(frozen=True)
class PackedBatch:
    """Some windows behind one another, as their numbers; `lay` says what they hold, on the device.

    Attributes:
        windows: numbers, int64 (B,), on the host.
        form: of the batch.
        rows: how many sub-words the head reads.
        outputs: how many it gives.
        targets: of the whole corpus, on the device.
        lay: ``(windows on the device, form) -> Laid``.
    """

    windows: "torch.Tensor"
    form: Form
    rows: int
    outputs: int
    targets: "torch.Tensor"
    lay: "Lay"


class ResidentWindows:
    """The windows of a corpus as flat tensors on a device; `batch` gives what tasks.batches.collate gives.

    Every size of a batch is known on the host, so that no operation asks the device for one (as nonzero would).
    """

    def __init__(
        self,
        windows: Sequence[Encoded],
        *,
        pad_id: int,
        device: "torch.device",
        objective: Objective = CLASSES,
        packed: bool = False,
    ) -> None:
        """Move all windows to the device, 8 bytes for each sub-word and each row that the head reads, and the targets.

        Args:
            objective: what the head is trained for; not one of whole models, whose labels are sequences themselves.
            packed: whether `batch` lays the windows behind one another instead of padding them.
        """
        import torch

        self._examples = [window.example for window in windows]
        self._sizes = [len(window.input_ids) for window in windows]
        places = [objective.rows(window) for window in windows]
        self._counts = [len(own) for own in places]
        self._answers = [count // objective.rows_per_output for count in self._counts]
        self._pad_id, self._device, self._packed = pad_id, device, packed

        def moved(numbers: list[int]) -> torch.Tensor:
            return torch.tensor(numbers, dtype=torch.long, device=device)

        # behind all sub-words as many of padding as may fill up, behind rows and targets one that filling may read
        self._ids = moved([number for window in windows for number in window.input_ids] + [pad_id] * FILL)
        self._places = moved([place for own in places for place in own] + [0])
        targets = objective.targets(windows)
        self._targets = torch.cat([targets, targets.new_zeros(1, *targets.shape[1:])]).to(device)
        # per window: its first sub-word and their number, its first row and their number, its first target and theirs
        columns = [
            [*part, 0] for sizes in (self._sizes, self._counts, self._answers) for part in (_starts(sizes), sizes)
        ]
        self._table = moved([number for line in zip(*columns, strict=True) for number in line]).view(-1, 6)

    def batch(self, indexes: Sequence[int]) -> dict[str, Any]:
        """The windows of ``indexes`` as padded tensors, see tasks.batches.collate; or packed, ``packed`` alone."""
        return {"packed": self._pack(indexes)} if self._packed else self._pad(indexes)

    def _pad(self, indexes: Sequence[int]) -> dict[str, Any]:
        import torch

        table = self._table[self._numbers(indexes).to(self._device, non_blocking=True)]
        first, size, read, count, target, answers = table.unbind(1)
        longest = max(self._sizes[index] for index in indexes)
        column = torch.arange(longest, device=self._device)
        mask = column < size[:, None]
        ids = self._ids[(first[:, None] + column).clamp(max=len(self._ids) - 1)]
        begins = longest * torch.arange(len(indexes), device=self._device)
        rows = sum(self._counts[index] for index in indexes)
        entry, source = _each(read, count, rows)
        lengths: Counter[int] = Counter()
        for index in indexes:
            if self._counts[index]:
                lengths[self._examples[index]] += self._counts[index]
        return {
            "input_ids": torch.where(mask, ids, self._pad_id),
            "attention_mask": mask.long(),
            "answered": begins[entry] + self._places[source],
            "targets": self._targets[_each(target, answers, sum(self._answers[index] for index in indexes))[1]],
            "padded": any(self._sizes[index] < longest for index in indexes),
            "lengths": list(lengths.values()),
        }

    def _pack(self, indexes: Sequence[int]) -> PackedBatch:
        form = Form(
            _up(sum(self._sizes[index] for index in indexes), FILL),
            _up(len(indexes), MANY),
            _up(max(self._sizes[index] for index in indexes), FILL),
        )
        empty = [len(self._sizes)] * (form.windows - len(indexes))
        rows = sum(self._counts[index] for index in indexes)
        outputs = sum(self._answers[index] for index in indexes)
        return PackedBatch(self._numbers([*indexes, *empty]), form, rows, outputs, self._targets, self.lay)

    def lay(self, windows: "torch.Tensor", form: Form) -> Laid:
        """The windows of these numbers, (B,) on the device, behind one another."""
        import torch
        from torch.nn.functional import pad

        first, size, read, count, target, answers = self._table[windows].unbind(1)
        sizes = _filled(size, form.sub_words)
        bounds = pad(sizes.cumsum(0), (1, 0))
        begins = bounds[:-1]
        padding = first.new_full((1,), len(self._ids) - FILL)
        entry, source = _each(torch.cat([first, padding]), sizes, form.sub_words)
        reader, row = _each(pad(read, (0, 1)), _filled(count, form.sub_words), form.sub_words)
        _, wanted = _each(pad(target, (0, 1)), _filled(answers, form.sub_words), form.sub_words)
        places = torch.arange(form.sub_words, device=windows.device) - begins[entry]
        places = places * (entry < len(windows))  # those of the filling may be more than the model knows
        answered = begins[reader] + self._places[row.clamp(max=len(self._places) - 1)]
        return Laid(
            self._ids[source],
            places,
            bounds.int(),
            answered.clamp(max=form.sub_words - 1),
            wanted.clamp(max=len(self._targets) - 1),
        )

    def _numbers(self, indexes: Sequence[int]) -> "torch.Tensor":
        import torch

        numbers = torch.tensor(list(indexes), dtype=torch.long)
        return numbers.pin_memory() if self._device.type == "cuda" else numbers


def _filled(counts: "torch.Tensor", total: int) -> "torch.Tensor":
    """With one more entry, so that they sum up to ``total``."""
    import torch

    return torch.cat([counts, total - counts.sum(0, keepdim=True)])


def _each(first: "torch.Tensor", count: "torch.Tensor", total: int) -> tuple["torch.Tensor", "torch.Tensor"]:
    """``count`` numbers from ``first`` on for each entry, ``total`` in all: the entry of each, and the numbers."""
    import torch

    entry = torch.arange(len(count), device=count.device).repeat_interleave(count, output_size=total)
    within = torch.arange(total, device=count.device) - (count.cumsum(0) - count)[entry]
    return entry, first[entry] + within


def _up(number: int, step: int) -> int:
    """The next multiple of ``step``, at least one."""
    return max(-(-number // step), 1) * step


def _starts(sizes: list[int]) -> list[int]:
    return [0, *accumulate(sizes)][:-1]
