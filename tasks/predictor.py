"""A fine-tuned model that answers examples, for evaluate and for predict."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from tasks import adapters, compute, models, objectives, params_file, records
from tasks.errors import UserError
from tasks.inference import probabilities
from tasks.stage import settle

CHUNK = 2048  # examples that are in memory as tensors and probabilities at once


class Predictor:
    """A model in memory with its tokenizer; answers examples of its task.

    Attributes:
        plain: why the fast path (tasks/fast_inference.py) does not fit and the model's own forward answers, or None.
    """

    def __init__(self, folder: Path, adapter: adapters.Adapter, machine: compute.Machine, batch_size: int) -> None:
        """Load ``folder``.

        Raises:
            UserError: the folder is missing, incomplete, or holds files that could run code.
        """
        from tasks.fast_inference import FastEncoder, unfit
        from tasks.generation import writer_of
        from tasks.heads import load_head

        file = folder / "hone.json"
        card = records.read_json(file)
        if missing := {"classes", "features", "head", "max_length", "options", "window_overlap"} - card.keys():
            raise UserError(
                f"{file}: {', '.join(sorted(missing))} missing (an older hone made it); 'dvc repro' trains it anew"
            )
        models.check_safe(folder)
        load = {"use_safetensors": True, "trust_remote_code": False, "local_files_only": True}
        self.adapter = adapter
        self.machine = machine
        self.batch_size = batch_size
        self.classes: list[str] = card["classes"]
        self.max_length: int = card["max_length"]
        self.overlap: int = card["window_overlap"]
        self.tokenizer = models.load_tokenizer(str(folder), load)
        self.options = params_file.check(adapter.options, card["options"], file, prefix="options.")
        model: Any = compute.prepare(adapter.model(str(folder), load, self.classes), machine)
        self.objective = objectives.make(adapter.objective(self.options), len(self.classes))
        self.writer = writer_of(self.options, self.tokenizer, model)
        if not self.objective.whole_model:
            rows = self.objective.rows_per_output
            model = load_head(model, folder, card["head"], card["features"], self.classes, rows)
        self.model = model.to(machine.device)
        self.head = adapter.head(self.model)
        self.plain = "it writes texts" if self.writer else unfit(self.model, machine)
        self.encoder = None if self.plain else FastEncoder(self.model, machine)
        settle()

    def predict(self, examples: Iterator[records.Example]) -> Iterator[records.Prediction]:
        """Predictions in the order of the examples, a chunk of them in memory at a time."""
        examples = iter(self.adapter.surround(examples, self.options, self.max_length))
        while chunk := list(islice(examples, CHUNK)):
            windows = self.adapter.encode(chunk, self.tokenizer, self.classes, self.max_length, self.overlap)
            answers = probabilities(
                self.model,
                self.head,
                windows,
                pad_id=self.tokenizer.pad_token_id,
                machine=self.machine,
                batch_size=self.batch_size,
                objective=self.objective,
                writer=self.writer,
                encoder=self.encoder,
            )
            yield from self.adapter.decode(chunk, answers, self.classes, self.options)
