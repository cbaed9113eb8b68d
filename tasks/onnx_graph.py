"""A fine-tuned model of torch as a graph of ONNX: encoder, head and what its objective answers, in one file."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tasks.heads import chain_of, hidden_states
from tasks.predictor import Predictor

INPUTS = ("input_ids", "attention_mask", "places")


class Graph(torch.nn.Module):
    """What is exported: from sub-words to what `decode` reads, or to the scores that a chain of tags reads."""

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.model = predictor.model
        self.head: Any = predictor.head  # there is one: export leaves models without head to torch
        self.features = getattr(predictor.model, "features", "last")
        self.answer = (lambda outputs: outputs) if chain_of(predictor.model) else predictor.objective.answer

    def forward(self, input_ids: Tensor, attention_mask: Tensor, places: Tensor) -> Tensor:
        """Answers float32 (outputs, C) of the hidden states at ``places`` (n,) of B windows of L sub-words.

        Args:
            input_ids: int64 (B, L).
            attention_mask: 1 at sub-words, 0 behind the end of a window, (B, L).
            places: rows of (B * L), int64 (n,).
        """
        hidden = hidden_states(self.model.base_model, self.features, input_ids, attention_mask)
        answers: Tensor = self.answer(self.head(hidden.flatten(0, 1)[places]).float())
        return answers


def graph(predictor: Predictor) -> Graph:
    """The model of ``predictor`` in float32 on the processor, ready to be exported and to be compared with."""
    made = Graph(predictor).to("cpu").float().eval()
    choose = getattr(made.model, "set_attn_implementation", None)  # heads of hone's own have none
    if choose is not None:
        choose("eager")
    return made


def write_graph(made: Graph, file: Path) -> None:
    """Write ONNX with weights inside; the same model gives the same bytes.

    What torch notes about the code it came from (paths of this machine among them) is left out.
    """
    import onnx

    rows = 4  # an even number, as a head may read two places at once; none of the sizes means anything
    example = (
        torch.arange(3 * 11).reshape(3, 11) % 5 + 1,
        torch.ones(3, 11, dtype=torch.int64),
        torch.arange(rows) * 7,
    )
    free = torch.export.Dim.DYNAMIC
    with _quietly(), torch.inference_mode(False), torch.no_grad():
        program: Any = torch.onnx.export(
            made,
            example,
            dynamo=True,
            external_data=False,
            verbose=False,
            input_names=list(INPUTS),
            output_names=["answers"],
            dynamic_shapes=({0: free, 1: free}, {0: free, 1: free}, {0: free}),
        )
        proto = program.model_proto
    _strip(proto)
    onnx.save(proto, str(file))


def quantized(source: Path, target: Path) -> None:
    """Write the graph with matrices and embeddings in int8, activations quantized as they come (dynamic)."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _quietly():
        quantize_dynamic(str(source), str(target), weight_type=QuantType.QInt8)


def _strip(proto: Any) -> None:
    proto.ClearField("metadata_props")
    proto.graph.ClearField("metadata_props")
    proto.graph.ClearField("doc_string")
    for function in proto.functions:
        function.ClearField("metadata_props")
        function.ClearField("doc_string")
    parts = (proto.graph, *proto.functions)
    named = [part.node for part in parts] + [
        proto.graph.initializer,
        proto.graph.input,
        proto.graph.output,
        *(part.value_info for part in parts),
    ]
    for one in (one for group in named for one in group):
        one.ClearField("metadata_props")
        one.ClearField("doc_string")


@contextmanager
def _quietly() -> Iterator[None]:
    """The exporters print, warn and log about themselves."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
            warnings.simplefilter("ignore")
            with redirect_stderr(nowhere):
                yield
    finally:
        logging.disable(level)
