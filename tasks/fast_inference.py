"""The fast path of prediction on a processor: BERT and RoBERTa encoders without what only training needs.

Against the model's own forward under autocast it casts and lays out each weight once, joins the products for query, key
and value, lets oneDNN add the bias and GELU inside its products, and in the last layer works only on the sub-words that
the head reads. Each thread computes batches of its own from beginning to end, so that no thread waits for another after
each product, and the answers do not depend on the number of threads. Residual stream and layer norms are float32, as
in training (tasks/fast_layers.py).

Shapes: B windows of L sub-words, T = B * L, n rows that the head reads, H hidden units, h heads, d = H / h.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor

from tasks.compute import Machine
from tasks.fast_families import GELU, ROWS, layer_parts, unfit_family

MATRICES = ("qkv", "out", "up", "down")

aten = torch.ops.aten
Batch = TypeVar("Batch")
Answer = TypeVar("Answer")


def unfit(model: Any, machine: Machine) -> str | None:
    """Why the fast path cannot predict with this model, or None if it can."""
    if machine.device.type != "cpu":
        return f"it is for processors, not {machine.device.type}"
    if not torch.backends.mkldnn.is_available():
        return "PyTorch was built without oneDNN"
    if machine.bf16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return "oneDNN has no bf16 on this processor"
    if getattr(model, "features", "last") == "mean_last_4":
        return "it gives the last layer alone, not mean_last_4"
    if why := unfit_family(model):
        return why
    for layer in model.base_model.encoder.layer:
        attention = layer.attention
        linears = [attention.self.query, attention.self.key, attention.self.value, attention.output.dense]
        if any(type(one) is not torch.nn.Linear for one in [*linears, layer.intermediate.dense, layer.output.dense]):
            return "a layer has products of another kind (adapters that are not merged)"
    return None


class FastEncoder:
    """The encoder of a model, as it is now: weights that change later do not count."""

    def __init__(self, model: Any, machine: Machine) -> None:
        """Take over the weights of ``model``, which `unfit` has nothing against."""
        base, config = model.base_model, model.config
        table = base.embeddings
        self._work = torch.bfloat16 if machine.bf16 else torch.float32
        self._heads, self._epsilon = config.num_attention_heads, config.layer_norm_eps
        self._gelu = GELU[config.hidden_act]
        first = config.pad_token_id + 1 if config.model_type != "bert" else 0  # RoBERTa counts places from there
        with torch.no_grad():
            self._words = table.word_embeddings.weight.detach()
            self._places = table.position_embeddings.weight[first:] + table.token_type_embeddings.weight[0]
            self._norm = (table.LayerNorm.weight.detach(), table.LayerNorm.bias.detach())
            self._layers = [self._laid_out(layer) for layer in base.encoder.layer]
        self._threads = torch.get_num_threads()
        self._pool = ThreadPoolExecutor(
            self._threads, thread_name_prefix="predict", initializer=partial(torch.set_num_threads, 1)
        )

    def map(self, answer: Callable[[Batch], Answer], batches: Iterable[Batch]) -> Iterator[Answer]:
        """What ``answer`` gives for each batch in their order, each batch on one thread, several at a time."""
        yield from self._pool.map(answer, batches)
        torch.set_num_threads(self._threads)  # the pool's threads set their own number, which new ones would inherit

    def __call__(self, ids: Tensor, sizes: Tensor, rows: Tensor) -> Tensor:
        """Hidden states of the last layer (n, H), float32.

        Args:
            ids: sub-words, int64 (B, L).
            sizes: how many of each window are no padding, int64 (B,).
            rows: which of the T hidden states are wanted, int64 (n,).
        """
        batch, length = ids.shape
        x = self._words[ids.flatten()].view(batch, length, -1).add_(self._places[:length]).flatten(0, 1)
        x = self._normed(x, *self._norm)
        away = torch.arange(length) >= sizes[:, None]
        bias = None
        if bool(away.any()):
            low = away.to(self._work).mul_(torch.finfo(self._work).min / 2)
            bias = low[:, None, None].expand(-1, self._heads, 1, -1).reshape(-1, 1, length)
        filled = _filled(rows, batch * length)
        for number, weights in enumerate(self._layers):
            last = number == len(self._layers) - 1
            x = self._layer(x, weights, batch, bias, filled if last else None)
        return x[: len(rows)]

    def _layer(self, x: Tensor, w: dict[str, Tensor], batch: int, bias: Tensor | None, rows: Tensor | None) -> Tensor:
        """One layer: (T, H) float32 to the same, or to the rows that are wanted."""
        heads, hidden = self._heads, x.shape[1]
        width, length = hidden // heads, x.shape[0] // batch
        qkv = _product(x.to(self._work), w, "qkv").view(batch, length, 3, heads, width)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).reshape(3, batch * heads, length, width).unbind(0)
        scale = 1 / math.sqrt(width)
        if bias is None:
            scores = torch.bmm(q, k.transpose(1, 2)).mul_(scale)
        else:
            scores = torch.baddbmm(bias, q, k.transpose(1, 2), alpha=scale)
        context = torch.bmm(scores.softmax(-1), v).view(batch, heads, length, width).transpose(1, 2)
        context = context.reshape(batch * length, hidden)
        if rows is not None:
            context, x = context.index_select(0, rows), x.index_select(0, rows)
        y = self._normed(x + _product(context, w, "out"), w["norm1"], w["norm1_bias"])
        inner = _product(y.to(self._work), w, "up", "gelu", self._gelu)
        return self._normed(y + _product(inner, w, "down"), w["norm2"], w["norm2_bias"])

    def _normed(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        result: Tensor = aten.native_layer_norm(x, [x.shape[1]], weight, bias, self._epsilon)[0]
        return result

    def _laid_out(self, layer: Any) -> dict[str, Tensor]:
        """Weights of a layer: matrices in the work type, laid out as oneDNN reads them; norms in float32."""
        wholes = {name: torch.cat([part.detach() for part in parts]) for name, parts in layer_parts(layer).items()}
        held = {name: value if "norm" in name else value.to(self._work) for name, value in wholes.items()}
        for name in MATRICES:
            held[name] = torch.ops.mkldnn._reorder_linear_weight(held[name], None)
        return held


def _product(x: Tensor, w: dict[str, Tensor], name: str, attribute: str = "none", form: str = "") -> Tensor:
    """``x @ weight.T + bias``, and GELU of it where ``attribute`` says so, in one go."""
    result: Tensor = torch.ops.mkldnn._linear_pointwise(x, w[name], w[f"{name}_bias"], attribute, [], form)
    return result


def _filled(rows: Tensor, count: int) -> Tensor:
    """The wanted rows and behind them the first of all again and again, to a multiple of ROWS, at most ``count``."""
    wanted = max(len(rows), min(-(-len(rows) // ROWS) * ROWS, count))
    return torch.cat([rows, rows.new_zeros(wanted - len(rows))])
