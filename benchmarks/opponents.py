"""The opponents of the speed benchmark: plain Hugging Face Trainers, each in a process of its own, timed step by step.

As benchmarks/trainer.py, from which they take the reading of data and model, they import nothing of hone. stdout gets
one JSON object.
"""

import argparse
import contextlib
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.step_times import StepClock, measured
from benchmarks.trainer import IGNORED, class_names, encode, model_inputs, model_source, read_split


@dataclass(frozen=True)
class Opponent:
    """One way in which encoders are fine-tuned today.

    Attributes:
        what: a few words for the table.
        batch: sentences per optimizer step.
        padded: whether every sentence is padded to the longest that is allowed.
        bf16: whether autocast is asked for.
        tuned: whether it has the dropout of params.yaml and the attention that is fastest on its device; else both are
            what the model and the library come with (dropout 0.1 of hidden states and of attention for BERT, sdpa).
        sampling: train_sampling_strategy of TrainingArguments.
        floor: hone must be at least so many times as fast.
        aim: what it should reach.
        reference: sentences per second on two idle Zen 4 cores, embedded encoder, CoNLL's lengths.
    """

    what: str
    batch: int
    padded: bool
    bf16: bool
    tuned: bool
    sampling: str
    floor: float
    aim: float
    reference: float


OPPONENTS = {
    "padded": Opponent("every sentence padded to 128, fp32", 16, True, False, False, "random", 11.0, 15.0, 9.9),
    "default": Opponent("as run_ner.py comes: dynamic padding, fp32", 8, False, False, False, "random", 4.0, 5.0, 28.9),
    "strong": Opponent("group_by_length, bf16", 16, False, True, True, "group_by_length", 1.6, 2.0, 70.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("opponent", choices=sorted(OPPONENTS))
    parser.add_argument("--prepared", type=Path, required=True, help="folder that preprocess wrote")
    parser.add_argument("--settings", type=json.loads, required=True, help="params.yaml as JSON")
    parser.add_argument("--warmup", type=int, required=True, help="steps before the measured ones")
    parser.add_argument("--steps", type=int, required=True, help="measured steps")
    parser.add_argument("--no-bf16", action="store_true", help="the device has no bf16 in hardware")
    options = parser.parse_args()
    with contextlib.redirect_stdout(sys.stderr):
        result = run(
            OPPONENTS[options.opponent],
            options.prepared,
            options.settings,
            warmup=options.warmup,
            steps=options.steps,
            bf16=not options.no_bf16,
        )
    print(json.dumps(result, sort_keys=True))


def run(
    opponent: Opponent, prepared: Path, settings: dict[str, Any], *, warmup: int, steps: int, bf16: bool
) -> dict[str, Any]:
    """Train for ``warmup + steps`` steps of the run that ``settings`` describe; time the last ``steps``."""
    import torch
    from transformers import (
        AutoModelForTokenClassification,
        AutoTokenizer,
        DataCollatorForTokenClassification,
        Trainer,
        TrainerCallback,
        TrainingArguments,
        set_seed,
    )

    finetune = settings["finetune"]
    torch.set_num_threads(settings["compute"]["threads"])
    set_seed(settings["seed"])
    device = settings["compute"]["device"]
    cpu = device == "cpu" or (device == "auto" and not torch.accelerator.is_available())
    train = read_split(prepared / "train.jsonl")
    classes = class_names(train)
    revision = None if finetune["revision"] == "embedded" else finetune["revision"]
    source, load = model_source(finetune["model"], revision)
    tokenizer = AutoTokenizer.from_pretrained(source, add_prefix_space=True, **load)
    if opponent.tuned:
        load |= {
            "attn_implementation": "eager" if cpu else "sdpa",
            "hidden_dropout_prob": finetune["dropout"],
            "attention_probs_dropout_prob": finetune["attention_dropout"],
        }
    model = AutoModelForTokenClassification.from_pretrained(source, num_labels=len(classes), **load)
    rows: Any = [model_inputs(row) for row in encode(train, tokenizer, classes, finetune["max_length"])]
    collate = DataCollatorForTokenClassification(
        tokenizer,
        padding="max_length" if opponent.padded else True,
        max_length=finetune["max_length"] if opponent.padded else None,
        label_pad_token_id=IGNORED,
    )
    sizes: list[int] = []

    def collate_and_count(features: Any) -> Any:
        batch = collate(features)
        sizes.append(batch["input_ids"].numel())
        return batch

    with tempfile.TemporaryDirectory() as folder:
        given = arguments_of(opponent, settings, bf16=bf16, cpu=cpu)
        arguments = TrainingArguments(output_dir=folder, **given)
        clock = StepClock(arguments.device.type == "cuda")

        class Bounded(TrainerCallback):
            """Marks each step and ends the run after enough of them."""

            def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
                if clock.mark() == warmup + steps:
                    control.should_training_stop = True

        trainer = Trainer(
            model=model,
            args=arguments,
            train_dataset=rows,
            processing_class=tokenizer,
            data_collator=collate_and_count,
            callbacks=[Bounded()],
        )
        trainer.train()
        seen = list(sizes)
        order = list(trainer._get_train_sampler() or ())
    epoch = [order[at : at + opponent.batch] for at in range(0, len(order), opponent.batch)]
    lengths = [len(row["input_ids"]) for row in rows]
    width = finetune["max_length"]
    padded = [(width if opponent.padded else max(lengths[index] for index in batch)) * len(batch) for batch in epoch]
    answer = measured(clock, seen, sum(padded) / len(padded), opponent.batch, warmup)
    return answer | {
        "arguments": given,
        "attention": model.config._attn_implementation,
        "attention_dropout": model.config.attention_probs_dropout_prob,
        "dropout": model.config.hidden_dropout_prob,
        "device": str(arguments.device),
    }


def arguments_of(opponent: Opponent, settings: dict[str, Any], *, bf16: bool, cpu: bool) -> dict[str, Any]:
    """The TrainingArguments of an opponent: epochs, schedule and seed of ``settings``, else the library's own.

    Args:
        bf16: whether the device multiplies bfloat16 in hardware.
        cpu: whether it is a processor.
    """
    finetune = settings["finetune"]
    return {
        "num_train_epochs": finetune["epochs"],
        "per_device_train_batch_size": opponent.batch,
        "learning_rate": finetune["learning_rate"],
        "lr_scheduler_type": "linear",
        "warmup_steps": finetune["warmup_ratio"],  # below 1 it is a share of all steps
        "weight_decay": finetune["weight_decay"],
        "max_grad_norm": finetune["max_gradient_norm"],
        "train_sampling_strategy": opponent.sampling,
        "bf16": opponent.bf16 and bf16,
        "use_cpu": cpu,
        "seed": settings["seed"],
        "save_strategy": "no",  # neither side saves or validates in the measured window
        "report_to": "none",
        "disable_tqdm": True,
    }


if __name__ == "__main__":
    main()
