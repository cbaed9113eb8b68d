"""All windows in the memory of a GPU, so that a step moves nothing but a few numbers to it and waits for nothing."""

from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from tasks.adapters import Encoded
from tasks.objectives import CLASSES, Objective

if TYPE_CHECKING:
    import torch


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
        self._answers = (
            self._counts if objective.by_labels else [len(objective.targets([window])) for window in windows]
        )
        self._pad_id, self._device, self._packed = pad_id, device, packed

        def moved(numbers: list[int]) -> torch.Tensor:
            return torch.tensor(numbers, dtype=torch.long, device=device)

        self._ids = moved([number for window in windows for number in window.input_ids])
        self._places = moved([place for own in places for place in own])
        self._targets = objective.targets(windows).to(device)
        # per window: its first sub-word and their number, its first row and their number, its first target and theirs
        columns = [part for sizes in (self._sizes, self._counts, self._answers) for part in (_starts(sizes), sizes)]
        self._table = moved([number for line in zip(*columns, strict=True) for number in line]).view(-1, 6)

    def batch(self, indexes: Sequence[int]) -> dict[str, Any]:
        """The windows of ``indexes``, B of them, as padded tensors; see tasks.batches.collate.

        Packed ones have all T sub-words in ``input_ids``, (T,), and the rows in ``answered`` count in these. Beside
        them stand ``places``: of each in its window, (T,); ``bounds``: where each window begins, and the end of the
        last, int32 (B + 1,); ``longest``: sub-words of the longest.
        """
        import torch

        chosen = torch.tensor(list(indexes), dtype=torch.long)
        if self._device.type == "cuda":
            chosen = chosen.pin_memory()
        table = self._table[chosen.to(self._device, non_blocking=True)]
        first, size, read, count, target, answers = table.unbind(1)
        longest = max(self._sizes[index] for index in indexes)
        made: dict[str, Any]
        if self._packed:
            bounds = torch.nn.functional.pad(size.cumsum(0), (1, 0))
            begins = bounds[:-1]
            source, places = _each(first, size, sum(self._sizes[index] for index in indexes))
            made = {"input_ids": self._ids[source], "places": places, "bounds": bounds.int(), "longest": longest}
            padded = False
        else:
            column = torch.arange(longest, device=self._device)
            mask = column < size[:, None]
            ids = self._ids[(first[:, None] + column).clamp(max=len(self._ids) - 1)]
            begins = longest * torch.arange(len(indexes), device=self._device)
            made = {"input_ids": torch.where(mask, ids, self._pad_id), "attention_mask": mask.long()}
            padded = any(self._sizes[index] < longest for index in indexes)
        rows = sum(self._counts[index] for index in indexes)
        source, _ = _each(read, count, rows)
        lengths: Counter[int] = Counter()
        for index in indexes:
            if self._counts[index]:
                lengths[self._examples[index]] += self._counts[index]
        return made | {
            "answered": begins.repeat_interleave(count, output_size=rows) + self._places[source],
            "targets": self._targets[_each(target, answers, sum(self._answers[index] for index in indexes))[0]],
            "padded": padded,
            "lengths": list(lengths.values()),
        }


def _each(first: "torch.Tensor", count: "torch.Tensor", total: int) -> tuple["torch.Tensor", "torch.Tensor"]:
    """``count`` numbers from ``first`` on for each entry, ``total`` in all, and the place of each among its own."""
    import torch

    entry = torch.arange(len(count), device=count.device).repeat_interleave(count, output_size=total)
    within = torch.arange(total, device=count.device) - (count.cumsum(0) - count)[entry]
    return first[entry] + within, within


def _starts(sizes: list[int]) -> list[int]:
    return [0, *accumulate(sizes)][:-1]
