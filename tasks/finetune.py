"""Stage finetune: prepared examples to a model folder that transformers loads unchanged."""

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch

from tasks import adapters, compute, models, objectives, params, params_file, processes, records, training
from tasks.checkpoints import Checkpoints
from tasks.class_weights import class_weights
from tasks.depths import check_depths
from tasks.errors import UserError
from tasks.fast_engine import FastEngine, unfit
from tasks.generation import writer_of
from tasks.heads import refuse_other_head, with_head
from tasks.history import write_history
from tasks.inference import validated
from tasks.inputs_key import inputs_key
from tasks.keyed_folders import shared_place
from tasks.lora import Lora
from tasks.plain_engine import PlainEngine
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
    adapter = adapters.find(settings.task)
    if options.head not in adapter.heads:
        raise UserError(
            f"params.yaml: finetune.head: {options.head} does not go with task: {settings.task}; "
            f"write one of: {', '.join(adapter.heads)}"
        )
    first = processes.rank() == 0
    if first:
        shutil.rmtree(model_folder, ignore_errors=True)

    labels = records.read_json(prepared / "labels.json")
    own = params_file.check(adapter.options, settings.options, Path("params.yaml"), prefix=f"{settings.task}.")
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
    classes = adapter.classes(labels)

    objective = objectives.make(adapter.objective(own), len(classes))
    if objective.whole_model:
        refuse_parts(options, settings.task)
    with tempfile.TemporaryDirectory() as folder:
        if options.model == models.SCRATCH:
            if adapter.scratch is None:
                raise UserError(
                    f"params.yaml: finetune.model: {options.model} is for tasks that write texts; task: "
                    f"{settings.task} needs a pretrained encoder, such as {models.EMBEDDED}"
                )
            adapter.scratch(Path(folder), train, own, options.max_length, settings.seed)
        source, load = models.resolve(options.model, options.revision, Path(folder))
        tokenizer = models.load_tokenizer(source, load)
        loaded = compute.prepare(adapter.model(source, load, classes), machine)
    if options.class_weights != "none" and not objective.weighs_classes:
        raise UserError(
            f"params.yaml: finetune.class_weights: {options.class_weights} weighs one class against another, which "
            f"task: {settings.task} does not choose between here; write none"
        )
    at_once = min(options.micro_batch_size or options.batch_size, options.batch_size // options.processes)
    if at_once < objective.least:
        raise UserError(
            f"params.yaml: finetune.batch_size: {options.batch_size}, micro_batch_size: {options.micro_batch_size}, "
            f"processes: {options.processes} leave {at_once} {adapter.wording.example} in memory at once, but task: "
            f"{settings.task} learns from the others beside it; leave {objective.least} at least, more are better"
        )
    model = loaded  # whole, or with the head of the task
    if not objective.whole_model:
        model = with_head(loaded, options.head, options.features, classes, objective.rows_per_output)
    set_dropout(model.config, model, options.dropout, options.attention_dropout)
    limit = model_limit(model.config)
    if options.max_length > limit:
        raise UserError(
            f"params.yaml: finetune.max_length: {options.max_length} is more than the {limit} "
            f"that {options.model} can read; write {limit} or less (longer sentences get several windows)"
        )
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
        say(f"each {adapter.wording.example} learns against the others of its batch: {at_once - 1} at most")
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


def choose_engine(
    model: Any,
    head: Any,
    windows: Sequence[adapters.Encoded],
    pad_id: int,
    machine: compute.Machine,
    settings: params.Params,
) -> tuple[training.Engine, str]:
    """The engine that trains ``model``, and a few words on which it is and why."""
    options = settings.finetune
    if head is None:
        reason: str | None = "it is for encoders"
    else:
        reason = unfit(model) if machine.device.type == "cpu" else f"it is for processors, not {machine.device.type}"
    other = {
        "processes": options.processes > 1 and options.processes,
        "optimizer": options.optimizer != "adamw" and options.optimizer,
        "features": options.features != "last" and options.features,
        "head": options.head == "crf" and options.head,
        "lora.rank": options.lora.rank,
    }
    lacks = [f"finetune.{key}: {value}" for key, value in other.items() if value]
    if lacks:
        reason = f"it has no {' and no '.join(lacks)}"
    if reason:
        engine = PlainEngine(
            model,
            head,
            machine=machine,
            weight_decay=options.weight_decay,
            dropout=options.dropout,
            seed=settings.seed,
            features=options.features,
            optimizer=options.optimizer,
            frozen_layers=options.frozen_layers,
            layer_decay=options.layer_decay,
        )
        return engine, f"plain path (the fast one does not fit: {reason})"
    fast = FastEngine(
        model,
        head,
        {pad_id}.union(*(window.input_ids for window in windows)),
        max(len(window.input_ids) for window in windows),
        machine=machine,
        weight_decay=options.weight_decay,
        dropout=options.dropout,
        attention_dropout=options.attention_dropout,
        seed=settings.seed,
        frozen_layers=options.frozen_layers,
        layer_decay=options.layer_decay,
    )
    return fast, "fast path"


def refuse_parts(options: params.Finetune, task: str) -> None:
    """Refuse what is known for an encoder with a head alone.

    Raises:
        UserError: names the key and the remedy.
    """
    wanted = {"features": "last", "frozen_layers": 0, "layer_decay": 1.0}
    for key, value in wanted.items():
        if getattr(options, key) != value:
            raise UserError(
                f"params.yaml: finetune.{key}: {getattr(options, key)} is for an encoder with a head, and task: {task} "
                f"trains an encoder-decoder whole; write {value}"
            )


def set_dropout(config: Any, model: Any, hidden: float, attention: float) -> None:
    """Set the dropout of a model, under the names of BERT, DistilBERT, BART and T5, in its config and its modules."""
    import torch

    for own in (config, getattr(config, "encoder", None), getattr(config, "decoder", None)):
        for name in ("hidden_dropout_prob", "dropout", "dropout_rate"):
            if hasattr(own, name):
                setattr(own, name, hidden)
        for name in ("attention_probs_dropout_prob", "attention_dropout"):
            if hasattr(own, name):
                setattr(own, name, attention)
    for name, module in model.named_modules():
        attends = ("attention" in name or "attn" in name) and "output" not in name
        if isinstance(module, torch.nn.Dropout):
            module.p = attention if attends else hidden
        elif attends and hasattr(module, "dropout_prob"):
            module.dropout_prob = attention
        elif isinstance(getattr(module, "dropout", None), float):  # BART and Marian drop by a number of their own
            module.dropout = attention if attends else hidden


def model_limit(config: Any) -> int:
    """Longest input of an encoder in sub-words; RoBERTa-like models spend positions on the padding index."""
    config = getattr(config, "encoder", None) or config
    positions = int(getattr(config, "max_position_embeddings", 512))
    reserved = (config.pad_token_id or 0) + 1 if config.model_type in ("roberta", "xlm-roberta", "camembert") else 0
    return positions - reserved


def save_tokenizer(tokenizer: Any, folder: Path) -> None:
    """Save the tokenizer without paths of this machine."""
    tokenizer.init_kwargs.pop("name_or_path", None)
    tokenizer.name_or_path = ""
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    main()
