"""A linear chain over the tags of a sentence: which tag may follow which, and how gladly (Lafferty et al. 2001).

Shapes: B sentences of at most T words, C tags. Scores are float32. What IOB2 forbids scores FORBIDDEN, far below all
else but finite: its probability is exactly 0 and every gradient is a number.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tasks.adapters import Encoded
from tasks.encoding import IGNORED

Answer = tuple[Encoded, NDArray[np.float32]]

FORBIDDEN = -1e4
TINY = 1e-30  # so that a chosen tag is above the others, however unsure
CHUNK = 256  # sentences that are decoded at once


class Crf(torch.nn.Module):
    """Emission scores from hidden states (n, H), and a chain over those of a sentence.

    Attributes:
        emission: linear layer from hidden states to (n, C).
        start: score of a tag at the beginning of a sentence, (C,).
        transition: score of the second tag after the first, (C, C).
        end: score of a tag at the end of a sentence, (C,).
    """

    allowed_start: Tensor
    allowed_transition: Tensor

    def __init__(self, hidden: int, classes: Sequence[str]) -> None:
        super().__init__()
        count = len(classes)
        self.emission = torch.nn.Linear(hidden, count)
        self.start = torch.nn.Parameter(torch.zeros(count))
        self.transition = torch.nn.Parameter(torch.zeros(count, count))
        self.end = torch.nn.Parameter(torch.zeros(count))
        start, transition = allowed(classes)
        self.register_buffer("allowed_start", start, persistent=False)
        self.register_buffer("allowed_transition", transition, persistent=False)

    def forward(self, hidden: Tensor) -> Tensor:
        """Emissions (n, C) of hidden states (n, H)."""
        scores: Tensor = self.emission(hidden)
        return scores

    def scores(self) -> tuple[Tensor, Tensor, Tensor]:
        """Start (C,), transition (C, C) and end (C,) with FORBIDDEN where IOB2 has no such tag."""
        start = self.start.float().masked_fill(~self.allowed_start, FORBIDDEN)
        return (
            start,
            self.transition.float().masked_fill(~self.allowed_transition, FORBIDDEN),
            self.end.float(),
        )

    def conditional(self, emissions: Tensor, targets: Tensor, lengths: Sequence[int]) -> Tensor:
        """Logits (n, C) of each word's tag, given the gold tag after it and all words up to it.

        By the chain rule the cross-entropies of a sentence's words with these logits add up to its negative
        log-likelihood: ``log p(y) = log p(y_T) + sum of log p(y_t | y_t+1)``.

        Args:
            emissions: of the words of all sentences one after the other, (n, C).
            targets: their gold tags, (n,).
            lengths: words of each sentence; they add up to n.
        """
        if len(targets) == 0:
            return emissions
        _, transition, end = self.scores()
        padded, mask = pad(emissions, lengths)
        forward = self.forward_scores(padded, mask)[mask]
        last = torch.zeros(len(targets), dtype=torch.bool, device=targets.device)
        last[torch.tensor(list(lengths), device=targets.device).cumsum(0) - 1] = True
        following = transition.t()[targets.roll(-1)]
        return (forward + torch.where(last[:, None], end, following)).to(emissions.dtype)

    def forward_scores(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """Log of the summed weight of all ways to each tag of each word, (B, T, C): the forward algorithm.

        Args:
            emissions: (B, T, C).
            mask: True at words, (B, T); each row begins with one.
        """
        start, transition, _ = self.scores()
        emissions, ways = wide(emissions), wide(transition).exp()
        at = start + emissions[:, 0]
        steps = [at]
        for word in range(1, emissions.shape[1]):
            moved = _through(at, ways) + emissions[:, word]
            at = torch.where(mask[:, word, None], moved, at)
            steps.append(at)
        return torch.stack(steps, 1)

    def backward_scores(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """Log of the summed weight of all ways from each tag of each word to the end, (B, T, C)."""
        _, transition, end = self.scores()
        emissions, ways = wide(emissions), wide(transition).exp().t()
        at = wide(end).expand_as(emissions[:, 0])
        steps = [at]
        for word in range(emissions.shape[1] - 1, 0, -1):
            moved = _through(emissions[:, word] + at, ways)
            at = torch.where(mask[:, word, None], moved, at)
            steps.append(at)
        return torch.stack(steps[::-1], 1)

    def log_partition(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """Log of the summed weight of all tag sequences, (B,)."""
        return torch.logsumexp(self.forward_scores(emissions, mask)[:, -1] + self.scores()[2], 1)

    def marginals(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """Probability of each tag of each word over all tag sequences, (B, T, C)."""
        both = self.forward_scores(emissions, mask) + self.backward_scores(emissions, mask)
        return both.softmax(-1).float()

    def viterbi(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """The most probable tag sequence of each sentence, (B, T); padding repeats the last tag."""
        start, transition, end = self.scores()
        stay = torch.arange(len(start), device=emissions.device).expand(len(emissions), -1)
        at = start + emissions[:, 0]
        came = []
        for word in range(1, emissions.shape[1]):
            best, origin = (at[:, :, None] + transition).max(1)
            here = mask[:, word, None]
            at = torch.where(here, best + emissions[:, word], at)
            came.append(torch.where(here, origin, stay))
        tags = [(at + end).argmax(1)]
        for origin in reversed(came):
            tags.append(origin.gather(1, tags[-1][:, None]).squeeze(1))
        return torch.stack(tags[::-1], 1)

    def mean_loss(self, answers: Sequence[Answer]) -> float:
        """Negative log-likelihood of the gold tags per labelled word, in nats; unknown gold may be any tag.

        Args:
            answers: windows with the emissions of their parts, (parts, C).
        """
        total, count = 0.0, 0
        with torch.inference_mode():
            for chunk in _chunks(answers):
                emissions, mask = self._padded(chunk)
                gold = [label for windows in chunk for window, _ in windows for label in _labels(window)]
                targets = torch.full(mask.shape, IGNORED, device=mask.device)
                targets[mask] = torch.tensor(gold, device=mask.device)
                known = mask & (targets != IGNORED)
                others = torch.ones_like(emissions, dtype=torch.bool).scatter_(
                    2, targets.clamp(min=0)[..., None], False
                )
                right = emissions.masked_fill(others & known[..., None], FORBIDDEN)
                total += float((self.log_partition(emissions, mask) - self.log_partition(right, mask)).sum())
                count += int(known.sum())
        return total / max(count, 1)

    def resolve(self, answers: Sequence[Answer]) -> list[Answer]:
        """Emissions of windows to the best tags of whole sentences, in the form of probabilities.

        The windows of a sentence are laid together first, so that the chain runs through all of it.

        Returns:
            The same windows; a row holds the marginal probability of each tag, with a minus sign at all but the tag
            that Viterbi chose. So its argmax is the tag and its maximum the confidence, also where another tag is
            more probable when the word is looked at alone.
        """
        rows: dict[int, NDArray[np.float32]] = {}
        with torch.inference_mode(), one_thread():
            for chunk in _chunks(answers):
                emissions, mask = self._padded(chunk)
                chosen = self.viterbi(emissions, mask)[..., None]
                marginals = self.marginals(emissions, mask)
                sure = marginals.gather(2, chosen).clamp(min=TINY)
                found = (-marginals).scatter_(2, chosen, sure)[mask].cpu().numpy()
                begin = 0
                for window, scores in (answer for windows in chunk for answer in windows):
                    rows[id(window)] = found[begin : begin + len(scores)]
                    begin += len(scores)
        return [(window, rows.get(id(window), scores)) for window, scores in answers]

    def _padded(self, chunk: Sequence[Sequence[Answer]]) -> tuple[Tensor, Tensor]:
        rows = torch.cat([torch.from_numpy(scores) for windows in chunk for _, scores in windows])
        lengths = [sum(len(scores) for _, scores in windows) for windows in chunk]
        return pad(rows.to(self.start.device), lengths)


def allowed(classes: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Which tags may begin a sentence, (C,), and follow which, (C, C), by IOB2: I-X stands only after B-X or I-X."""
    inner = [name[2:] if name[:2] == "I-" else None for name in classes]
    kinds = [name[2:] if name[:2] in ("B-", "I-") else None for name in classes]
    start = torch.tensor([kind is None for kind in inner])
    return start, torch.tensor([[kind is None or kind == before for kind in inner] for before in kinds])


@contextmanager
def one_thread() -> Iterator[None]:
    """Many products of a few numbers: a second thread has little to do and is long waited for on busy cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def wide(scores: Tensor) -> Tensor:
    """Scores in float64, where sums of products stand for sums of exponentials; float32 where a device has no other."""
    return scores if scores.device.type == "mps" else scores.double()


def _through(at: Tensor, ways: Tensor) -> Tensor:
    """``log(exp(at) @ ways)`` (B, C), a product of matrices where logsumexp would visit B * C * C sums."""
    top = at.detach().max(1, keepdim=True).values
    return ((at - top).exp() @ ways).clamp(min=torch.finfo(at.dtype).tiny).log() + top


def pad(rows: Tensor, lengths: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Rows (n, C) of sentences one after the other to (B, T, C), with the mask of what is there, (B, T)."""
    counts = torch.tensor(list(lengths), device=rows.device)
    mask = torch.arange(max(lengths), device=rows.device) < counts[:, None]
    padded = rows.new_zeros(*mask.shape, rows.shape[1])
    padded[mask] = rows
    return padded, mask


def _labels(window: Encoded) -> list[int]:
    return [window.labels[position] for position, _ in window.parts]


def _chunks(answers: Sequence[Answer]) -> Iterator[list[list[Answer]]]:
    """The windows of each sentence that has words, in their order; some sentences of similar length at a time."""
    sentences: dict[int, list[Answer]] = {}
    for window, scores in answers:
        if len(scores):
            sentences.setdefault(window.example, []).append((window, scores))
    order = sorted(sentences.values(), key=lambda windows: -sum(len(scores) for _, scores in windows))
    for start in range(0, len(order), CHUNK):
        yield order[start : start + CHUNK]
