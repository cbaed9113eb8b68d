"""Stage finetune: prepared examples to a model folder that transformers loads unchanged."""

import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch

from tasks import adapters, compute, models, objectives, params, params_file, processes, records, training
from tasks.checkpoints import Checkpoints
from tasks.class_weights import class_weights
from tasks.combinations import examples_at_once, refuse_combinations, refuse_longer
from tasks.depths import check_depths
from tasks.dropout import set_dropout
from tasks.engines import choose_engine
from tasks.generation import writer_of
from tasks.heads import refuse_other_head, with_head
from tasks.history import write_history
from tasks.inference import validated
from tasks.inputs_key import inputs_key
from tasks.keyed_folders import shared_place
from tasks.lora import Lora
from tasks.scoring import selection
from tasks.stage import argument_parser, run_stage, say, settle, versions, watch_starters
from tasks.train_share import share_of_train

PIPELINE = Path("dvc.yaml")


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--prepared", type=Path, required=True, help="folder of the examples")
    parser.add_argument("--model", type=Path, required=True, help="folder of the model, written")
    parser.add_argument("--history", type=Path, required=True, help="CSV of losses by epoch, written")
    parser.add_argument("--cost", type=Path, required=True, help="JSON of time and memory, written; not an out")
    paths = parser.parse_args()

    def work() -> dict[str, Any]:
        settings = params_file.load(Path("params.yaml"))
        machine = compute.set_up(settings.compute, settings.seed)
        processes.check(settings, machine)
        count = settings.finetune.processes
        with checkpoints_of(settings) as store, processes.children(count):
            with processes.together(count, machine.device):
                facts = finetune(settings, paths.prepared, paths.model, paths.history, store)
            if store is not None:
                store.done()
        return facts

    if processes.rank() > 0:  # a child of the stage's process, which has its locks
        watch_starters()
        settings = params_file.load(Path("params.yaml"))
        device = compute.set_up(settings.compute, settings.seed).device
        with processes.together(settings.finetune.processes, device):
            finetune(settings, paths.prepared, paths.model, paths.history, None)
        return
    run_stage("finetune", work, paths.cost)


def checkpoints_of(settings: params.Params) -> AbstractContextManager[Checkpoints | None]:
    """The checkpoints of a run with these inputs; none outside a pipeline, where nothing names the inputs."""
    if not PIPELINE.exists():
        return nullcontext(None)
    machine = compute.set_up(settings.compute, settings.seed)
    key = inputs_key(PIPELINE, "finetune", also=[machine.description, torch.__version__])
    every = settings.checkpoints
    place = shared_place(Path())
    return Checkpoints(place, key, every_steps=every.every_steps, every_seconds=every.every_seconds)


def finetune(
    settings: params.Params, prepared: Path, model_folder: Path, history: Path, store: training.Store | None
) -> dict[str, Any]:
    """Fine-tune the model of ``settings`` on train, choose the epoch on validation, write model and history.

    Args:
        store: keeps checkpoints, from which an interrupted run goes on; None keeps none.

    Returns:
        What the run's cost file says beside time and memory.
    """
    options = settings.finetune
    machine = compute.set_up(settings.compute, settings.seed)
    adapter = adapters.find(adapters.name_of(settings.task, settings.options))
    own = params_file.check(adapter.options, settings.options, Path("params.yaml"), prefix=f"{settings.task}.")
    classes = adapter.classes(records.read_json(prepared / "labels.json"))
    objective = objectives.make(adapter.objective(own), len(classes))
    refuse_combinations(options, settings.task, adapter, objective)
    first = processes.rank() == 0
    if first:
        shutil.rmtree(model_folder, ignore_errors=True)

    whole = list(records.read_examples(prepared / "train.jsonl"))
    chosen = share_of_train(whole, options.train_share, settings.seed)
    if options.train_share < 1:
        say(f"finetune.train_share: {options.train_share:g}: {len(chosen)} of {len(whole)} examples of train")
    train, validation = (
        list(adapter.surround(examples, own, options.max_length))
        for examples in (chosen, records.read_examples(prepared / "validation.jsonl"))
    )
    if getattr(own, "context", "none") == "document" and not any(example.document for example in train):
        say(f"{settings.task}.context: document has no effect: no document is known in train")

    with tempfile.TemporaryDirectory() as folder:
        if options.model == models.SCRATCH and adapter.scratch:
            adapter.scratch(Path(folder), train, own, options.max_length, settings.seed)
        source, load = models.resolve(options.model, options.revision, Path(folder))
        tokenizer = models.load_tokenizer(source, load)
        loaded = compute.prepare(adapter.model(source, load, classes), machine)
    adapter.extend(loaded, tokenizer, own, settings.seed)
    model = loaded  # whole, or with the head of the task
    if not objective.whole_model:
        model = with_head(loaded, options.head, options.features, classes, objective.rows_per_output)
    set_dropout(model.config, model, options.dropout, options.attention_dropout)
    refuse_longer(options.max_length, options.model, model.config)
    check_depths(
        model, frozen_layers=options.frozen_layers, layer_decay=options.layer_decay, lora_rank=options.lora.rank
    )
    lora = Lora(model.base_model, **options.lora.model_dump()) if options.lora.rank else None
    shape = (options.max_length, options.window_overlap)
    settle()
    windows = adapter.encode(train, tokenizer, classes, *shape)
    validation_windows = adapter.encode(validation, tokenizer, classes, *shape)
    head = adapter.head(model)
    if head is not None:
        refuse_other_head(model, head)
    writer = writer_of(own, tokenizer, model)
    engine, path = choose_engine(model, head, windows, tokenizer.pad_token_id, machine, settings)
    figure_of = getattr(selection, adapter.headline)
    say(
        f"{options.model} on {machine.description}, {path}; {len(train)} examples in {len(windows)} windows, "
        f"{sum(len(window.input_ids) for window in windows)} sub-words"
    )
    if lost := adapter.unlearned(train, windows):
        say(
            f"{lost} of {len(train)} {adapter.wording.examples} are not learned, as no window holds the gold "
            f"{adapter.wording.item} whole; a larger finetune.window_overlap or max_length helps"
        )
    if objective.whole_model and (full := sum(options.max_length in objective.sizes(window) for window in windows)):
        say(
            f"finetune.max_length: {options.max_length}: {full} of {len(windows)} texts or references of train "
            "fill it; what is beyond is not read"
        )
    if objective.least > 1:
        others = examples_at_once(options) - 1
        say(f"each {adapter.wording.example} learns against the others of its batch: {others} at most")
    if options.max_minutes:
        say(f"finetune.max_minutes: {options.max_minutes:g}: the clock decides this model, which cannot be rebuilt")

    def validate(trained: Any) -> tuple[float, float]:
        answers, loss = validated(
            trained,
            head,
            validation_windows,
            pad_id=tokenizer.pad_token_id,
            machine=machine,
            batch_size=2 * options.batch_size,
            objective=objective,
            writer=writer,
        )
        predictions = adapter.decode(validation, answers, classes, own)
        return loss, figure_of([p.gold for p in predictions], [p.predicted for p in predictions])

    card = {
        "classes": classes,
        "features": options.features,
        "head": options.head,
        "max_length": options.max_length,
        "model": options.model,
        "options": settings.options,
        "revision": options.revision,
        "task": settings.task,
        "window_overlap": options.window_overlap,
    }

    shared_validate: Callable[[Any], tuple[float, float]] = validate
    if options.processes > 1:
        shared_validate = processes.once(validate, machine.device)
        store = processes.SharedStore(store, machine.device)
    started = time.monotonic()
    result = training.train(
        engine,
        windows,
        shared_validate,
        plan_of(options, class_weights(options.class_weights, windows, len(classes))),
        store=store,
        pad_id=tokenizer.pad_token_id,
        machine=machine,
        seed=settings.seed,
        objective=objective,
        figure_name=adapter.wording.figure,
        rank=processes.rank(),
        processes=options.processes,
    )
    if not first:
        return {}
    seconds = time.monotonic() - started
    trained = engine.sync()
    if lora is not None:
        lora.merge()
    trained.config._name_or_path = ""  # would hold a path of this machine
    trained.save_pretrained(model_folder)
    save_tokenizer(tokenizer, model_folder)
    records.write_json(
        model_folder / "hone.json",
        card
        | {
            "best_epoch": result.best.epoch,
            "data": models.content_hash(prepared),
            "padded_tokens": result.padded_tokens,
            "rebuildable": not options.max_minutes,
            "steps": result.steps,
            "tokens": result.tokens,
            "versions": versions(),
        },
    )
    write_history(history, result.history)
    say(f"kept epoch {result.best.epoch} with validation {adapter.wording.figure} {result.best.validation_f1:.4f}")
    return {
        "machine": machine.description,
        "processes": options.processes,
        "train_seconds": round(seconds, 1),
        "examples_per_second": round(result.examples / seconds, 1),
    }


def plan_of(options: params.Finetune, weights: list[float] | None) -> training.Plan:
    """The plan of training that params.yaml describes; ``weights`` are those of the classes."""
    return training.Plan(
        epochs=options.epochs,
        batch_size=options.batch_size,
        micro_batch_size=options.micro_batch_size,
        learning_rate=options.learning_rate,
        schedule=options.schedule,
        warmup_ratio=options.warmup_ratio,
        max_gradient_norm=options.max_gradient_norm,
        patience=options.patience,
        minimum_gain=options.minimum_gain,
        max_steps=options.max_steps,
        max_minutes=options.max_minutes,
        class_weights=weights,
    )


def save_tokenizer(tokenizer: Any, folder: Path) -> None:
    """Save the tokenizer without paths of this machine."""
    tokenizer.init_kwargs.pop("name_or_path", None)
    tokenizer.name_or_path = ""
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    main()
