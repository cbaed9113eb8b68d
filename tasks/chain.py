"""The chain of tags of a model with ``head: crf`` in numpy, for exported models: the same answers as tasks.crf.Crf.

Shapes: B sentences of at most T words, C tags; float64.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.adapters import Encoded

Floats = NDArray[np.float64]
Answer = tuple[Encoded, NDArray[np.float32]]

TINY = 1e-30  # so that a chosen tag is above the others, however unsure
CHUNK = 256  # sentences that are decoded at once


@dataclass(frozen=True)
class Chain:
    """Scores of the tags that may begin (C,), follow one another (C, C) and end a sentence (C,); -1e4 forbids."""

    start: Floats
    transition: Floats
    end: Floats

    def resolve(self, answers: Sequence[Answer]) -> list[Answer]:
        """Emissions of windows to the best tags of whole sentences, as tasks.crf.Crf.resolve gives them."""
        sentences: dict[int, list[Answer]] = {}
        for window, scores in answers:
            if len(scores):
                sentences.setdefault(window.example, []).append((window, scores))
        order = sorted(sentences.values(), key=lambda windows: -sum(len(scores) for _, scores in windows))
        rows: dict[int, NDArray[np.float32]] = {}
        for begin in range(0, len(order), CHUNK):
            chunk = order[begin : begin + CHUNK]
            emissions = [np.concatenate([scores for _, scores in windows]).astype(np.float64) for windows in chunk]
            for windows, found in zip(chunk, self._decode(emissions), strict=True):
                at = 0
                for window, scores in windows:
                    rows[id(window)] = found[at : at + len(scores)]
                    at += len(scores)
        return [(window, rows.get(id(window), scores)) for window, scores in answers]

    def _decode(self, sentences: Sequence[Floats]) -> list[NDArray[np.float32]]:
        """Per sentence (words, C): marginal probabilities, with a minus sign at all but the tag that Viterbi chose."""
        lengths = np.array([len(rows) for rows in sentences])
        mask = np.arange(lengths.max()) < lengths[:, None]
        emissions = np.zeros((*mask.shape, len(self.start)))
        emissions[mask] = np.concatenate(list(sentences))
        chosen = self._viterbi(emissions, mask)[..., None]
        both = self._forward(emissions, mask) + self._backward(emissions, mask)
        marginals = np.exp(both - both.max(2, keepdims=True))
        marginals /= marginals.sum(2, keepdims=True)
        signed = -marginals
        np.put_along_axis(signed, chosen, np.maximum(np.take_along_axis(marginals, chosen, 2), TINY), 2)
        rows = signed.astype(np.float32)
        return [rows[index, :length] for index, length in enumerate(lengths.tolist())]

    def _forward(self, emissions: Floats, mask: NDArray[np.bool_]) -> Floats:
        at = self.start + emissions[:, 0]
        steps, ways = [at], np.exp(self.transition)
        for word in range(1, emissions.shape[1]):
            at = np.where(mask[:, word, None], _through(at, ways) + emissions[:, word], at)
            steps.append(at)
        return np.stack(steps, 1)

    def _backward(self, emissions: Floats, mask: NDArray[np.bool_]) -> Floats:
        at = np.broadcast_to(self.end, emissions[:, 0].shape)
        steps, ways = [at], np.exp(self.transition).T
        for word in range(emissions.shape[1] - 1, 0, -1):
            at = np.where(mask[:, word, None], _through(emissions[:, word] + at, ways), at)
            steps.append(at)
        return np.stack(steps[::-1], 1)

    def _viterbi(self, emissions: Floats, mask: NDArray[np.bool_]) -> NDArray[np.intp]:
        """The best tags (B, T); behind the end of a sentence its last one is repeated."""
        at = self.start + emissions[:, 0]
        came = []
        for word in range(1, emissions.shape[1]):
            ways = at[:, :, None] + self.transition
            here = mask[:, word, None]
            came.append(np.where(here, ways.argmax(1), np.arange(at.shape[1])))
            at = np.where(here, ways.max(1) + emissions[:, word], at)
        tags = [(at + self.end).argmax(1)]
        for origin in reversed(came):
            tags.append(np.take_along_axis(origin, tags[-1][:, None], 1)[:, 0])
        return np.stack(tags[::-1], 1)


def _through(at: Floats, ways: Floats) -> Floats:
    """``log(exp(at) @ ways)`` (B, C)."""
    top = at.max(1, keepdims=True)
    through: Floats = np.log(np.maximum(np.exp(at - top) @ ways, np.finfo(np.float64).tiny)) + top
    return through
