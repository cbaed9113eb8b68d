"""A fine-tuned model that answers examples, for evaluate and for predict."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from tasks import adapters, compute, models, records
from tasks.inference import probabilities

CHUNK = 2048  # examples that are in memory as tensors and probabilities at once


class Predictor:
    """A model in memory with its tokenizer; answers examples of its task."""

    def __init__(self, folder: Path, adapter: adapters.Adapter, machine: compute.Machine, batch_size: int) -> None:
        """Load ``folder``.

        Raises:
            UserError: the folder is missing, or holds files that could run code.
        """
        card = records.read_json(folder / "hone.json")
        models.check_safe(folder)
        load = {"use_safetensors": True, "trust_remote_code": False, "local_files_only": True}
        self.adapter = adapter
        self.machine = machine
        self.batch_size = batch_size
        self.classes: list[str] = card["classes"]
        self.max_length: int = card["max_length"]
        self.overlap: int = card["window_overlap"]
        self.tokenizer = models.load_tokenizer(str(folder), load)
        model: Any = adapter.model(str(folder), load, self.classes)
        self.model = model.to(machine.device)

    def predict(self, examples: Iterator[records.Example]) -> Iterator[records.Prediction]:
        """Predictions in the order of the examples, a chunk of them in memory at a time."""
        while chunk := list(islice(examples, CHUNK)):
            windows = self.adapter.encode(chunk, self.tokenizer, self.classes, self.max_length, self.overlap)
            answers = probabilities(
                self.model,
                windows,
                pad_id=self.tokenizer.pad_token_id,
                machine=self.machine,
                batch_size=self.batch_size,
            )
            yield from self.adapter.decode(chunk, answers, self.classes)
