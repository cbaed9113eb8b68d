"""All windows in the memory of a GPU, so that a step moves nothing but a few numbers to it and waits for nothing."""

from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from tasks.adapters import Encoded
from tasks.encoding import IGNORED

if TYPE_CHECKING:
    import torch


class ResidentWindows:
    """The windows of a corpus as flat tensors on a device; `batch` gives what tasks.batches.collate gives.

    Every size of a batch is known on the host, so that no operation asks the device for one (as nonzero would).
    """

    def __init__(self, windows: Sequence[Encoded], *, pad_id: int, device: "torch.device") -> None:
        """Move all windows to the device, 8 bytes for each sub-word and 16 for each label."""
        import torch

        self._examples = [window.example for window in windows]
        self._sizes = [len(window.input_ids) for window in windows]
        places = [[place for place, label in enumerate(window.labels) if label != IGNORED] for window in windows]
        self._counts = [len(own) for own in places]
        self._pad_id, self._device = pad_id, device

        def moved(numbers: list[int]) -> torch.Tensor:
            return torch.tensor(numbers, dtype=torch.long, device=device)

        self._ids = moved([number for window in windows for number in window.input_ids])
        self._places = moved([place for own in places for place in own])
        pairs = zip(windows, places, strict=True)
        self._targets = moved([window.labels[place] for window, own in pairs for place in own])
        # per window: its first sub-word, their number, its first label, their number
        table = zip(_starts(self._sizes), self._sizes, _starts(self._counts), self._counts, strict=True)
        self._table = moved([number for line in table for number in line]).view(-1, 4)

    def batch(self, indexes: Sequence[int]) -> dict[str, Any]:
        """The windows of ``indexes`` as padded tensors; see tasks.batches.collate."""
        import torch

        longest = max(self._sizes[index] for index in indexes)
        answers = sum(self._counts[index] for index in indexes)
        chosen = torch.tensor(list(indexes), dtype=torch.long)
        if self._device.type == "cuda":
            chosen = chosen.pin_memory()
        first, size, label, count = self._table[chosen.to(self._device, non_blocking=True)].unbind(1)
        column = torch.arange(longest, device=self._device)
        mask = column < size[:, None]
        ids = self._ids[(first[:, None] + column).clamp(max=len(self._ids) - 1)]
        row = torch.arange(len(indexes), device=self._device).repeat_interleave(count, output_size=answers)
        within = torch.arange(answers, device=self._device) - (count.cumsum(0) - count)[row]
        source = label[row] + within
        lengths: Counter[int] = Counter()
        for index in indexes:
            if self._counts[index]:
                lengths[self._examples[index]] += self._counts[index]
        return {
            "input_ids": torch.where(mask, ids, self._pad_id),
            "attention_mask": mask.long(),
            "answered": row * longest + self._places[source],
            "targets": self._targets[source],
            "padded": any(self._sizes[index] < longest for index in indexes),
            "lengths": list(lengths.values()),
        }


def _starts(sizes: list[int]) -> list[int]:
    return [0, *accumulate(sizes)][:-1]
