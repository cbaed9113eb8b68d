"""An exported model as serving asks for it."""

from collections.abc import Sequence
from pathlib import Path

from serving.model import Answer
from tasks import onnx_model
from tasks.errors import UserError


class Exported:
    """The model of a folder that the stage export wrote, on onnxruntime.

    Args:
        folder: with export.json and the graph.
        threads: of the processor; 0 means one per core that this process may use.

    Raises:
        UserError: the folder holds no model that can be used, or an export that is not finished.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        self._model = onnx_model.load(folder, threads=threads)
        if "quality" not in self._model.card:  # written last, once all predictions were compared
            raise UserError(f"{folder}: the export is at work or was interrupted; 'hone export' finishes it")
        self.task = self._model.task

    def answers(self, texts: Sequence[str]) -> list[Answer]:
        return onnx_model.many_text_answers(self._model, texts)
