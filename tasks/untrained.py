"""The baseline that knows the encoder and nothing of its training: answers of the nearest neighbours.

Texts are vectors: the mean of the last hidden states over the sub-words, of length 1 (Reimers and Gurevych 2019). What
the adapter's ``likeness`` gives for an example is compared with the examples of train, whose targets then vote with
their cosines (k nearest neighbours), or with choices of the example's own, of which the nearest is the answer.
"""

import functools
import json
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks import models
from tasks.adapters import Likeness
from tasks.compute import Machine, prepare
from tasks.encoding import special_ids
from tasks.progress import progress
from tasks.records import Example, Prediction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ROWS = 256  # examples that are compared with all of train at once


@dataclass(frozen=True, slots=True)
class Embedder:
    """The encoder as it was before training.

    Attributes:
        max_length: sub-words of a text that are read, special ones counted.
        batch_size: texts per forward pass.
    """

    model: Any
    tokenizer: Any
    machine: Machine
    max_length: int
    batch_size: int

    @classmethod
    def load(cls, model: str, revision: str, machine: Machine, *, max_length: int, batch_size: int) -> "Embedder":
        """The encoder that params name, of an encoder-decoder that half.

        Raises:
            UserError: it cannot be loaded.
        """
        from transformers import AutoModel

        source, load = models.resolve(model, revision)
        tokenizer = models.load_tokenizer(source, load)
        whole = models.load_model(AutoModel, source, load, attn_implementation="eager")
        made = prepare(whole.get_encoder() if whole.config.is_encoder_decoder else whole, machine)
        return cls(made.to(machine.device).eval(), tokenizer, machine, max_length, batch_size)

    def __call__(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Vectors of length 1, (n, H), in the order of the texts; equal texts are read once."""
        import numpy as np
        import torch

        distinct = {text: number for number, text in enumerate(dict.fromkeys(texts))}
        before, after = special_ids(self.tokenizer)
        room = max(self.max_length - len(before) - len(after), 1)
        encodings = self.tokenizer.backend_tokenizer.encode_batch(list(distinct), add_special_tokens=False)
        ids = [[*before, *encoding.ids[:room], *after] for encoding in encodings]
        order = sorted(range(len(ids)), key=lambda index: -len(ids[index]))
        vectors = np.zeros((len(ids), self.model.config.hidden_size), np.float32)
        pad = self.tokenizer.pad_token_id
        kind, bf16 = self.machine.device.type, self.machine.bf16
        batches = [order[at : at + self.batch_size] for at in range(0, len(order), self.batch_size)]
        with torch.inference_mode(), torch.autocast(kind, torch.bfloat16, enabled=bf16):
            for batch in progress(batches, len(batches), "untrained encoder"):
                longest = max(len(ids[index]) for index in batch)
                rows = [ids[index] + [pad] * (longest - len(ids[index])) for index in batch]
                mask = [[1] * len(ids[index]) + [0] * (longest - len(ids[index])) for index in batch]
                there = torch.tensor(mask, device=self.machine.device)
                read = self.model(input_ids=torch.tensor(rows, device=self.machine.device), attention_mask=there)
                hidden = read.last_hidden_state.float() * there[..., None]
                means = hidden.sum(1) / there.sum(1, keepdim=True)
                vectors[batch] = torch.nn.functional.normalize(means, dim=-1).cpu().numpy()
        return vectors[[distinct[text] for text in texts]]


def drawn(examples: Iterable[Example], most: int, seed: int) -> list[Example]:
    """At most ``most`` examples in their order, drawn by seed (reservoir sampling: memory is bounded)."""
    source = random.Random(f"neighbours {seed}")
    kept: list[tuple[int, Example]] = []
    for number, example in enumerate(examples):
        if len(kept) < most:
            kept.append((number, example))
        elif (place := source.randrange(number + 1)) < most:
            kept[place] = (number, example)
    return [example for _, example in sorted(kept, key=lambda pair: pair[0])]


class Neighbours:
    """The answers of the nearest neighbours. The texts of train are read once, when first needed."""

    def __init__(
        self,
        likeness: Callable[[Example], Likeness],
        train: Sequence[Example],
        embed: Callable[[Sequence[str]], "NDArray[np.float32]"],
        neighbours: int,
    ) -> None:
        """Take note.

        Args:
            likeness: what to compare, of the adapter; either all examples have choices of their own, or none.
            train: whose targets vote; not used where examples have choices.
            embed: ``(texts) -> vectors (n, H)`` of length 1.
            neighbours: of train, that vote.
        """
        self._likeness = likeness
        self._train = train
        self._embed = embed
        self._neighbours = neighbours

    @functools.cached_property
    def _known(self) -> "NDArray[np.float32]":
        return self._embed([self._likeness(example).text for example in self._train])

    def answers(self, examples: Sequence[Example]) -> list[Prediction]:
        """The answer to each example."""
        asked = [self._likeness(example) for example in examples]
        if any(one.choices for one in asked):
            return _among_choices(examples, asked, self._embed)
        keys = [json.dumps(example.target) for example in self._train]
        questions = self._embed([one.text for one in asked])
        found = []
        for start in range(0, len(examples), ROWS):
            cosines = questions[start : start + ROWS] @ self._known.T
            for example, row in zip(examples[start : start + ROWS], cosines, strict=True):
                votes: dict[str, float] = {}
                for index in (-row).argsort(kind="stable")[: self._neighbours].tolist():
                    votes[keys[index]] = votes.get(keys[index], 0.0) + float(row[index])
                best = json.loads(max(sorted(votes), key=votes.__getitem__))
                found.append(Prediction(example.id, example.target, best, [1.0], example.document))
        return found


def _among_choices(examples: Sequence[Example], asked: Sequence[Likeness], embed: Any) -> list[Prediction]:
    """The first of the nearest choices of each example."""
    questions = embed([one.text for one in asked])
    choices = embed([text for one in asked for text, _ in one.choices])
    found, start = [], 0
    for example, one, question in zip(examples, asked, questions, strict=True):
        cosines = choices[start : start + len(one.choices)] @ question
        start += len(one.choices)
        answer = one.choices[int(cosines.argmax())][1] if one.choices else []
        found.append(Prediction(example.id, example.target, answer, [1.0], example.document))
    return found
