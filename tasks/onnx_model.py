"""An exported model: answers examples and raw texts on onnxruntime, without torch and transformers.

What stands around the graph is what training has: the adapter encodes and decodes. The folder is what stage export
writes; nothing in it can run code, and a file that is not known there is refused.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import tokenizers
from numpy.typing import NDArray

from tasks import adapters, params_file, records
from tasks.adapters import Encoded
from tasks.answering import answers
from tasks.chain import Chain
from tasks.errors import UserError
from tasks.models import check_safe

CARD = "export.json"
GRAPHS = {"fp32": "model.onnx", "int8": "model.int8.onnx"}
TOKENIZER = "tokenizer.json"
KNOWN = {CARD, TOKENIZER, *GRAPHS.values()}
CHUNK = 2048  # examples that are in memory as windows and answers at once


@dataclass(frozen=True)
class Tokenizer:
    """What an adapter needs of a tokenizer, under the names that transformers has for it."""

    backend_tokenizer: tokenizers.Tokenizer
    unk_token_id: int | None
    pad_token_id: int


class OnnxModel:
    """An exported model in memory.

    Attributes:
        task: name of its adapter.
        precision: of the graph that is used, fp32 or int8.
        classes: names of the outputs.
        card: what export.json says.
    """

    def __init__(self, folder: Path, precision: str | None, threads: int, batch_size: int) -> None:
        self.card: dict[str, Any] = read_card(folder)
        self.task: str = self.card["task"]
        self.precision: str = precision or self.card["offered"]
        self.classes: list[str] = self.card["classes"]
        self.temperature: float = self.card["temperature"]
        self.batch_size = batch_size
        self.adapter = adapters.find(self.task)
        self.options = params_file.check(self.adapter.options, self.card["options"], folder / CARD, prefix="options.")
        chain = self.card["chain"]
        self.chain = Chain(**{name: np.array(value) for name, value in chain.items()}) if chain else None
        backend = _load(lambda: tokenizers.Tokenizer.from_file(str(folder / TOKENIZER)), folder / TOKENIZER)
        backend.no_truncation()
        backend.no_padding()
        self.tokenizer: Any = Tokenizer(backend, self.card["unknown_id"], self.card["pad_id"])
        self.session = _session(folder / GRAPHS[self.precision], threads)

    def predict(self, examples: Iterable[records.Example]) -> Iterator[records.Prediction]:
        """Predictions in the order of the examples, a chunk of them in memory at a time."""
        length = self.card["max_length"]
        remaining = iter(self.adapter.surround(examples, self.options, length))
        while chunk := list(islice(remaining, CHUNK)):
            windows = self.adapter.encode(chunk, self.tokenizer, self.classes, length, self.card["window_overlap"])
            rows = self._answers(windows)
            if self.chain is not None:
                rows = self.chain.resolve(rows)
            yield from self.adapter.decode(chunk, rows, self.classes, self.options)

    def _answers(self, windows: Sequence[Encoded]) -> list[tuple[Encoded, NDArray[np.float32]]]:
        """Each window with what the graph answers for its parts (outputs, C), in the given order."""
        order = sorted(range(len(windows)), key=lambda index: -len(windows[index].input_ids))
        answered: list[Any] = [None] * len(windows)
        for start in range(0, len(order), self.batch_size):
            indexes = order[start : start + self.batch_size]
            batch = [windows[index] for index in indexes]
            rows = self.session.run(None, batch_inputs(batch, self.tokenizer.pad_token_id))[0]
            begin = 0
            for index, window in zip(indexes, batch, strict=True):
                end = begin + len(window.parts) // self.card["rows_per_output"]
                answered[index] = (window, rows[begin:end])
                begin = end
        return answered


def load(folder: Path, *, precision: str | None = None, threads: int = 0, batch_size: int = 32) -> OnnxModel:
    """The exported model of ``folder``.

    Args:
        precision: fp32 or int8; None takes what the export offers.
        threads: of onnxruntime, 0 takes the cores that this process may use.
        batch_size: windows per run of the graph, those of like length together.

    Raises:
        UserError: there is no export, it is incomplete or broken, or holds files that do not belong there.
    """
    if not (folder / CARD).is_file():
        raise UserError(f"{folder}: no exported model there; 'hone export' makes one")
    check_safe(folder)
    if strange := sorted({path.relative_to(folder).as_posix() for path in folder.rglob("*")} - KNOWN):
        raise UserError(f"{folder / strange[0]}: does not belong into an exported model; remove it or export again")
    return OnnxModel(folder, precision, threads, batch_size)


def text_answers(model: OnnxModel, text: str) -> dict[str, Any]:
    """What the model finds in a raw text; see tasks.answering.answers for the form."""
    return many_text_answers(model, [text])[0]


def many_text_answers(model: OnnxModel, texts: Sequence[str | Sequence[str]]) -> list[dict[str, Any]]:
    """The same for several texts, whose sentences share batches."""
    return answers(texts, model.adapter, model.predict, model.temperature)


def read_card(folder: Path) -> dict[str, Any]:
    """What export.json says.

    Raises:
        UserError: it is missing, broken or of another hone.
    """
    card = records.read_json(folder / CARD)
    if isinstance(card, dict) and card.get("offered") == "torch":
        raise UserError(f"{folder}: {card['task']} is answered by torch alone, see 'hone predict'")
    needed = {
        "chain", "classes", "max_length", "offered", "options", "pad_id", "rows_per_output", "task", "temperature",
        "unknown_id", "window_overlap",
    }  # fmt: skip
    if not isinstance(card, dict) or needed - card.keys():
        gone = ", ".join(sorted(needed - set(card)))
        raise UserError(f"{folder / CARD}: {gone} missing (another hone made it); 'hone export' makes it again")
    if card["offered"] not in GRAPHS:
        raise UserError(f"{folder / CARD}: offers {card['offered']!r}; {' or '.join(GRAPHS)} are known")
    return card


def batch_inputs(windows: Sequence[Encoded], pad_id: int) -> dict[str, NDArray[np.int64]]:
    """Inputs of the graph for B windows of at most L sub-words.

    Returns:
        input_ids and attention_mask (B, L); ``places`` (n,): which of the B * L hidden states the head reads.
    """
    longest = max(len(window.input_ids) for window in windows)
    ids = np.full((len(windows), longest), pad_id, dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, window in enumerate(windows):
        ids[row, : len(window.input_ids)] = window.input_ids
        mask[row, : len(window.input_ids)] = 1
    places = [row * longest + place for row, window in enumerate(windows) for place, _ in window.parts]
    return {"input_ids": ids, "attention_mask": mask, "places": np.array(places, dtype=np.int64)}


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _session(file: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or cores()
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 3
    if not file.is_file():
        raise UserError(f"{file}: no such file; 'hone export' makes it again")
    return _load(lambda: onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"]), file)


def _load(make: Callable[[], Any], file: Path) -> Any:
    """What ``make`` reads; libraries written in C++ and Rust raise all sorts of errors for a broken file."""
    try:
        return make()
    except Exception as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise UserError(f"{file}: cannot be read ({first}); 'hone export' makes it again") from None
