"""Texts that a model writes: batched by length, with cached keys, always the same for the same weights."""

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.adapters import Encoded, Written
from tasks.batches import collate, length_batches
from tasks.compute import Machine
from tasks.encoder_decoders import label_logits, positions
from tasks.encoding import IGNORED
from tasks.errors import UserError
from tasks.objectives import SEQUENCES
from tasks.params import Generation
from tasks.spacing import mended, torn

if TYPE_CHECKING:
    import torch
    from transformers import GenerationConfig, PreTrainedTokenizerFast


@dataclass(frozen=True)
class Writer:
    """How a model writes: its tokenizer and the generation settings of params.yaml."""

    tokenizer: "PreTrainedTokenizerFast"
    settings: Generation

    def config(self, model: Any) -> "GenerationConfig":
        """Settings of transformers: ours, and of the model's own only its special sub-words."""
        made: GenerationConfig = copy.deepcopy(model.generation_config)
        own = self.settings
        made.update(
            max_length=None,
            max_new_tokens=own.max_new_tokens,
            min_length=0,
            num_beams=own.beams,
            length_penalty=own.length_penalty if own.beams > 1 else 1.0,
            no_repeat_ngram_size=own.no_repeat_ngram,
            early_stopping=False,  # true ends at the first few finished texts, were a better one still on its way
            do_sample=False,
            temperature=None,
            top_k=None,
            top_p=None,
            use_cache=True,
            return_dict_in_generate=False,
        )
        return made


def writer_of(options: Any, tokenizer: "PreTrainedTokenizerFast", model: Any) -> Writer | None:
    """How a task with these options writes; None for one that writes no texts.

    Raises:
        UserError: it is to write more sub-words than the model's decoder can.
    """
    settings = getattr(options, "generation", None)
    if settings is None:
        return None
    most = positions(model.config)
    if most is not None and settings.max_new_tokens > most:
        raise UserError(
            f"params.yaml: generation.max_new_tokens: {settings.max_new_tokens} is more than the {most} sub-words that "
            f"finetune.model can write; write {most} or less"
        )
    return Writer(tokenizer, settings)


def written(
    model: Any, windows: Sequence[Encoded], writer: Writer, *, pad_id: int, machine: Machine, batch_size: int
) -> list[tuple[Encoded, Written]]:
    """Each window with the text that the model writes for it, in the given order.

    The confidence comes from a second pass over what was written, so that it means the same with any number of beams.

    Args:
        batch_size: windows that are written together; with beams each counts as many times.
    """
    import torch

    found: list[Any] = [None] * len(windows)
    settings, mend = writer.config(model), torn(writer.tokenizer)
    model.eval()
    with torch.inference_mode(), torch.autocast(machine.device.type, torch.bfloat16, enabled=machine.bf16):
        for indexes in length_batches(windows, batch_size):
            chosen = [windows[index] for index in indexes]
            batch = collate(chosen, pad_id=pad_id, device=machine.device, objective=SEQUENCES)
            sources = {name: batch[name] for name in ("input_ids", "attention_mask")}
            ids = model.generate(**sources, generation_config=settings)[:, 1:]
            labels = _until_end(ids, settings.eos_token_id)
            sure = _confidences(model, sources, labels)
            rows = [[number for number in row if number != IGNORED] for row in labels.tolist()]
            texts = writer.tokenizer.batch_decode(rows, skip_special_tokens=True)
            for index, text, value in zip(indexes, texts, sure, strict=True):
                line = " ".join(text.split())
                found[index] = (windows[index], Written(mended(line) if mend else line, value))
    return found


def mean_loss(model: Any, windows: Sequence[Encoded], *, pad_id: int, machine: Machine, batch_size: int) -> float:
    """Mean cross-entropy per sub-word of the labels of the windows, in nats."""
    import torch
    from torch.nn import functional

    total, count = 0.0, 0
    model.eval()
    with torch.inference_mode(), torch.autocast(machine.device.type, torch.bfloat16, enabled=machine.bf16):
        for indexes in length_batches(windows, batch_size):
            chosen = [windows[index] for index in indexes]
            batch = collate(chosen, pad_id=pad_id, device=machine.device, objective=SEQUENCES)
            logits = label_logits(model, batch).float()
            total += functional.cross_entropy(logits, batch["targets"], reduction="sum").item()
            count += len(logits)
    return total / max(count, 1)


def _until_end(ids: "torch.Tensor", end: int | list[int]) -> "torch.Tensor":
    """What was written (B, T) up to its end, which belongs to it; IGNORED behind."""
    import torch

    ends = torch.isin(ids, torch.tensor([end] if isinstance(end, int) else end, device=ids.device))
    behind = ends.cumsum(1) - ends.long() > 0
    return ids.masked_fill(behind, IGNORED)


def _confidences(model: Any, sources: dict[str, Any], labels: "torch.Tensor") -> list[float]:
    """Geometric mean of the probabilities of the labels of each row."""
    from torch.nn import functional

    logits = label_logits(model, {**sources, "labels": labels}).float()
    losses = iter(functional.cross_entropy(logits, labels[labels != IGNORED], reduction="none").tolist())
    return [_probability(losses, count) for count in (labels != IGNORED).sum(1).tolist()]


def _probability(losses: Iterator[float], count: int) -> float:
    return math.exp(-sum(next(losses) for _ in range(count)) / count)
