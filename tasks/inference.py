"""What a model answers for windows, in batches by length."""

from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from tasks.adapters import Encoded
from tasks.batches import collate, length_batches
from tasks.compute import Machine
from tasks.objectives import CLASSES, Objective

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.fast_inference import FastEncoder
    from tasks.generation import Writer


def probabilities(
    model: Any,
    head: Any,
    windows: Sequence[Encoded],
    *,
    pad_id: int,
    machine: Machine,
    batch_size: int,
    objective: Objective = CLASSES,
    writer: "Writer | None" = None,
    encoder: "FastEncoder | None" = None,
) -> list[tuple[Encoded, Any]]:
    """Each window with what the objective's ``answer`` makes of its parts, shape (outputs, C), in the given order.

    For most tasks these are class probabilities. Where a chain of tags stands on the model, all tags but the chosen one
    bear a minus sign (tasks.crf.Crf.resolve); all windows of an example must then be here.

    Args:
        model: of transformers, or a tasks.heads.Tagger.
        head: its part that turns hidden states (n, H) into outputs, as adapters give it.
        batch_size: windows per forward pass.
        writer: how a model without head writes its answers, which are then Written.
        encoder: computes the hidden states faster than the model's own forward; None leaves them to the model.
    """
    from tasks.heads import chain_of

    if writer is not None:
        from tasks.generation import written

        return written(model, windows, writer, pad_id=pad_id, machine=machine, batch_size=batch_size)
    answers = _answers(
        model,
        head,
        windows,
        pad_id=pad_id,
        machine=machine,
        batch_size=batch_size,
        objective=objective,
        encoder=encoder,
    )
    chain = chain_of(model)
    return answers if chain is None else chain.resolve(answers)


def validated(
    model: Any,
    head: Any,
    windows: Sequence[Encoded],
    *,
    pad_id: int,
    machine: Machine,
    batch_size: int,
    objective: Objective,
    writer: "Writer | None" = None,
) -> tuple[list[tuple[Encoded, Any]], float]:
    """What `probabilities` gives, and the mean loss of training on these windows, in nats.

    The fast path answers where it fits, as it does for evaluate.
    """
    from tasks.fast_inference import FastEncoder, unfit
    from tasks.heads import chain_of

    if writer is not None:
        from tasks.generation import mean_loss, written

        loss = mean_loss(model, windows, pad_id=pad_id, machine=machine, batch_size=batch_size)
        return written(model, windows, writer, pad_id=pad_id, machine=machine, batch_size=batch_size), loss
    answers = _answers(
        model,
        head,
        windows,
        pad_id=pad_id,
        machine=machine,
        batch_size=batch_size,
        objective=objective,
        encoder=None if unfit(model, machine) else FastEncoder(model, machine),
    )
    chain = chain_of(model)
    if chain is None:
        return answers, objective.mean_loss(answers)
    return chain.resolve(answers), chain.mean_loss(answers)


def _answers(
    model: Any,
    head: Any,
    windows: Sequence[Encoded],
    *,
    pad_id: int,
    machine: Machine,
    batch_size: int,
    objective: Objective,
    encoder: "FastEncoder | None" = None,
) -> list[tuple[Encoded, "NDArray[np.float32]"]]:
    """Each window with what the objective answers for it, or with the scores that a chain on the model reads."""
    import torch

    from tasks.heads import chain_of, hidden_states

    chained = chain_of(model) is not None
    features = getattr(model, "features", "last")  # a frozen encoder answers as any other
    autocast = partial(torch.autocast, machine.device.type, torch.bfloat16, enabled=machine.bf16)

    def read(batch: Sequence[Encoded]) -> Any:
        """The hidden states that the head reads, (n, H)."""
        longest = max(len(window.input_ids) for window in batch)
        rows = torch.tensor([row * longest + place for row, window in enumerate(batch) for place, _ in window.parts])
        if encoder is not None:
            ids = [window.input_ids + [pad_id] * (longest - len(window.input_ids)) for window in batch]
            return encoder(torch.tensor(ids), torch.tensor([len(window.input_ids) for window in batch]), rows)
        tensors = collate(batch, pad_id=pad_id, device=machine.device, objective=objective)
        with autocast():
            hidden = hidden_states(model.base_model, features, tensors["input_ids"], tensors["attention_mask"])
        return hidden.flatten(0, 1)[rows.to(machine.device)]

    def answer(indexes: list[int]) -> list[tuple[int, tuple[Encoded, "NDArray[np.float32]"]]]:
        """The windows of a batch, by their index, with their answers."""
        batch = [windows[index] for index in indexes]
        counts = [len(window.parts) // objective.rows_per_output for window in batch]
        with torch.inference_mode():
            hidden = read(batch)
            with autocast():
                outputs = head(hidden).float()
                if objective.pool is not None:
                    outputs, counts = objective.pool(outputs, counts), [1] * len(batch)
                rows = (outputs if chained else objective.answer(outputs)).cpu().numpy()
        ends = list(accumulate(counts))
        parts = (rows[end - count : end] for end, count in zip(ends, counts, strict=True))
        return list(zip(indexes, zip(batch, parts, strict=True), strict=True))

    model.eval()
    batches = length_batches(windows, batch_size)
    answers: list[Any] = [None] * len(windows)
    for found in map(answer, batches) if encoder is None else encoder.map(answer, batches):
        for index, one in found:
            answers[index] = one
    return answers
