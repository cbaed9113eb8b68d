"""hone's side of the speed benchmark: the stage finetune itself, timed step by step and ended after enough of them.

Run in a process of its own by benchmarks/speed.py. Nothing of the stage is replaced but the validation (which the
measured steps never reach) and the place of the longest batch of the first epoch: it goes to the front, where the
Trainer's group_by_length has it too, so that the peak memory of both has seen it. stdout gets one JSON object.
"""

import argparse
import contextlib
import inspect
import json
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from benchmarks.roof import encoder_shape, step_flops, updated_parameters
from benchmarks.step_times import StepClock, measured

ROOT = Path(__file__).resolve().parent.parent


class EnoughSteps(Exception):
    """Ends the training; not an error."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspace", type=Path, required=True, help="folder with params.yaml and data/prepared")
    parser.add_argument("--warmup", type=int, required=True, help="steps before the measured ones")
    parser.add_argument("--steps", type=int, required=True, help="measured steps")
    options = parser.parse_args()
    os.chdir(options.workspace)
    with contextlib.redirect_stdout(sys.stderr):
        result = run(warmup=options.warmup, steps=options.steps)
    print(json.dumps(result, sort_keys=True))


def run(*, warmup: int, steps: int) -> dict[str, Any]:
    """The stage finetune on data/prepared of the current folder; times the ``steps`` after ``warmup``.

    Raises:
        ValueError: an epoch has too few steps, or the run went on from a checkpoint.
    """
    from tasks import adapters, finetune, models, params_file, records, training

    settings = params_file.load(Path("params.yaml"))
    batch_size = settings.finetune.batch_size
    order = Order(getattr(training, "epoch_batches"))  # noqa: B009, not a name that the module exports
    seen: dict[str, Any] = {}
    train = training.train
    signature = inspect.signature(train)

    def on_step(done: int) -> None:
        clock = seen["clock"]
        if clock.mark() != done:
            raise ValueError(f"step {done} is not the {len(clock.seconds()) + 1}th here; did it resume a checkpoint?")
        if done == warmup + steps:
            raise EnoughSteps

    def bounded(*positional: Any, **named: Any) -> Any:
        call = signature.bind(*positional, **named)
        seen.update(machine=call.arguments["machine"], windows=call.arguments["windows"])
        seen["clock"] = StepClock(seen["machine"].device.type == "cuda")
        call.arguments["validate"] = lambda _: (0.0, 0.0)
        call.arguments["on_step"] = on_step
        return train(*call.args, **call.kwargs)

    # The stage calls both by these names; a rename there shows here as an AttributeError or an empty order.
    with (
        replaced(training, "train", bounded),
        replaced(training, "epoch_batches", order),
        replaced(sys, "argv", ["tasks.finetune", *stage_arguments()]),
        contextlib.suppress(EnoughSteps),
    ):
        finetune.main()
    if len(order.sizes) <= warmup + steps:
        raise ValueError(f"an epoch of {len(order.sizes)} steps is too short for {warmup + steps}; take more sentences")
    windows = [window.input_ids for window in seen["windows"]]
    lengths = [len(window) for window in windows]
    classes = adapters.find(settings.task).classes(records.read_json(Path("data/prepared/labels.json")))
    source, load = models.resolve(settings.finetune.model, settings.finetune.revision)
    shape = encoder_shape(source, load, len(classes))
    used = len(set().union(*windows))
    steps_of_epoch = len(order.sizes)
    machine = seen["machine"]
    return measured(seen["clock"], order.sizes, sum(order.sizes) / steps_of_epoch, batch_size, warmup) | {
        "device": str(machine.device),
        "embedding_rows_used": used,
        "flops_per_step": sum(step_flops(shape, [length]) for length in lengths) / steps_of_epoch,
        "machine": machine.description,
        "sub_words_per_sentence": round(sum(lengths) / order.examples, 2),
        "updated_parameters": updated_parameters(shape, used, max(lengths)),
    }


def stage_arguments() -> list[str]:
    """What dvc.yaml hands to the stage finetune; its paths are relative and lead into the current folder."""
    command = YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")["stages"]["finetune"]["cmd"]
    words = shlex.split(command)
    return words[words.index("tasks.finetune") + 1 :]


class Order:
    """Stands in for tasks.batches.epoch_batches: same batches, the largest of the first epoch first; notes their sizes.

    Attributes:
        sizes: sub-words of each step of the first epoch.
        examples: how many an epoch has.
    """

    def __init__(self, epoch_batches: Callable[..., list[list[int]]]) -> None:
        self._epoch_batches = epoch_batches
        self.sizes: list[int] = []
        self.examples = 0

    def __call__(self, lengths: Any, **named: Any) -> list[list[int]]:
        batches = self._epoch_batches(lengths, **named)
        if not self.sizes:
            sizes = [sum(lengths[index] for index in batch) for batch in batches]
            largest = sizes.index(max(sizes))
            batches = [batches[largest], *batches[:largest], *batches[largest + 1 :]]
            self.sizes = [sizes[largest], *sizes[:largest], *sizes[largest + 1 :]]
            self.examples = len(lengths)
        return batches


@contextlib.contextmanager
def replaced(module: Any, name: str, value: Any) -> Any:
    """``module.name`` is ``value`` inside."""
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


if __name__ == "__main__":
    main()
