"""Combinations of params that the task or the model rules out, refused before anything is trained.

What params.yaml alone can tell is refused when it is read (tasks/params_file.py).
"""

from typing import Any

from tasks import models
from tasks.adapters import Adapter
from tasks.errors import UserError
from tasks.objectives import Objective
from tasks.params import Finetune


def refuse_combinations(options: Finetune, task: str, adapter: Adapter, objective: Objective) -> None:
    """Stop at values that do not go with the task, before a model is loaded.

    Raises:
        UserError: names the key and the remedy.
    """
    at_once = examples_at_once(options)
    rules = [
        *(
            (
                objective.whole_model and getattr(options, key) != value,
                f"finetune.{key}: {getattr(options, key)} is for an encoder with a head, and task: {task} "
                f"trains an encoder-decoder whole; write {value}",
            )
            for key, value in {"features": "last", "frozen_layers": 0, "layer_decay": 1.0}.items()
        ),
        (
            options.model == models.SCRATCH and adapter.scratch is None,
            f"finetune.model: {options.model} is for tasks that write texts; task: {task} needs a pretrained encoder, "
            f"such as {models.EMBEDDED}",
        ),
        (
            options.class_weights != "none" and not objective.weighs_classes,
            f"finetune.class_weights: {options.class_weights} weighs one class against another, which task: {task} "
            "does not choose between here; write none",
        ),
        (
            at_once < objective.least,
            f"finetune.batch_size: {options.batch_size}, micro_batch_size: {options.micro_batch_size}, "
            f"processes: {options.processes} leave {at_once} {adapter.wording.example} in memory at once, but task: "
            f"{task} learns from the others beside it; leave {objective.least} at least, more are better",
        ),
    ]
    for holds, problem in rules:
        if holds:
            raise UserError(f"params.yaml: {problem}")


def examples_at_once(options: Finetune) -> int:
    """Examples that one process has in memory at once."""
    return min(options.micro_batch_size or options.batch_size, options.batch_size // options.processes)


def refuse_longer(max_length: int, model: str, config: Any) -> None:
    """Stop at windows that are longer than the model reads.

    Args:
        max_length: of a window in sub-words.
        model: name of the model, for the message.
        config: of the model.

    Raises:
        UserError: names the key and the most that it may be.
    """
    limit = model_limit(config)
    if max_length > limit:
        raise UserError(
            f"params.yaml: finetune.max_length: {max_length} is more than the {limit} that {model} can read; "
            f"write {limit} or less (longer sentences get several windows)"
        )


def model_limit(config: Any) -> int:
    """Longest input of an encoder in sub-words; RoBERTa-like models spend positions on the padding index."""
    config = getattr(config, "encoder", None) or config
    positions = int(getattr(config, "max_position_embeddings", 512))
    reserved = (config.pad_token_id or 0) + 1 if config.model_type in ("roberta", "xlm-roberta", "camembert") else 0
    return positions - reserved
