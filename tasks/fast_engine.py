"""The fast path of training: BERT and RoBERTa encoders with linear cost per real sub-word and no wasted work.

Against the plain path (the model's own forward under autocast, torch's AdamW) it casts each weight once per step,
draws dropout from eight random bits per unit, writes gradients into one vector that AdamW updates in one pass, and
trains only the embedding rows that the data can change. The others get the weight decay that AdamW would give them, in
one product. Frozen layers run without gradients and stay out of the vector.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from tasks.compute import Machine
from tasks.depths import rate_factor
from tasks.fast_attention import Attention, Packed, Padded
from tasks.fast_layers import Embedding, EncoderLayer, LayerWeights, Masks, Shape
from tasks.flat import Entry, FlatAdamW

FAMILIES = ("bert", "roberta", "xlm-roberta", "camembert")
GELU = {"gelu": "none", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh"}
FLASH = (8, 0)  # compute capability from which on torch's FlashAttention runs
WIDEST = 256  # units of a head in it
BYTES = 256  # dropout is drawn in 256ths
ROWS = 64  # the last layer works on multiples of so many: oneDNN makes and keeps code for each new shape


def unfit(model: Any, machine: Machine) -> str | None:
    """Why the fast path cannot train this model on this machine, or None if it can."""
    if machine.device.type not in ("cpu", "cuda"):
        return f"it is for processors and NVIDIA cards, not {machine.device.type}"
    if why := unfit_family(model):
        return why
    if machine.device.type == "cuda":
        if not machine.bf16:
            return "on a card it computes in bf16 alone"
        if torch.cuda.get_device_capability(machine.device) < FLASH:
            return f"{torch.cuda.get_device_name(machine.device)} is too old for FlashAttention"
        if (units := model.config.hidden_size // model.config.num_attention_heads) % 8 or units > WIDEST:
            return f"heads of {units} units do not suit FlashAttention"
    return None


def unfit_family(model: Any) -> str | None:
    """Why the fast path does not know how to compute this model anywhere, or None if it does."""
    config = model.config
    if config.model_type not in FAMILIES:
        return f"it knows {', '.join(FAMILIES)}, not {config.model_type}"
    if getattr(config, "is_decoder", False) or getattr(config, "add_cross_attention", False):
        return "the model is a decoder"
    if getattr(config, "position_embedding_type", "absolute") != "absolute":
        return f"positions are {config.position_embedding_type}"
    if config.hidden_act not in GELU:
        return f"the activation is {config.hidden_act}"
    return None


class FastEngine:
    """An encoder with a head on its way through training.

    The model's own modules are only written to by `sync`; between two calls they hold the weights of the last one.

    Attributes:
        packs: whether `step` wants sentences packed behind one another (tasks/resident.py) instead of padded.
    """

    def __init__(
        self,
        model: Any,
        head: torch.nn.Module,
        used_ids: Iterable[int],
        longest: int,
        *,
        machine: Machine,
        weight_decay: float,
        dropout: float,
        attention_dropout: float,
        seed: int,
        frozen_layers: int = 0,
        layer_decay: float = 1.0,
    ) -> None:
        """Take over the weights of ``model``.

        Args:
            model: a transformers model that `unfit` has nothing against.
            head: the part of it that reads the hidden states.
            used_ids: sub-word ids of the training data, padding among them.
            longest: sub-words of the longest window.
            frozen_layers: lower layers that are not trained; above 0 the embeddings are not either.
            layer_decay: factor on the learning rate from each depth to the one below (tasks.depths).
        """
        device = machine.device
        work_type = torch.bfloat16 if machine.bf16 else torch.float32
        model.to(device)
        self.model, self.head, self.device = model, head, device
        self.packs = device.type == "cuda"
        self.dropout, self.attention_dropout, self.seed = dropout, attention_dropout, seed
        self.weight_decay = weight_decay
        base = model.base_model
        config = model.config
        table = base.embeddings
        self._rows = torch.tensor(sorted(set(used_ids)), device=device)
        self._compact = torch.zeros(config.vocab_size, dtype=torch.long, device=device)
        self._compact[self._rows] = torch.arange(len(self._rows), device=device)
        first = config.pad_token_id + 1 if config.model_type != "bert" else 0
        self._positions = slice(first, first + longest)
        self._heads, self._hidden = config.num_attention_heads, config.hidden_size
        self._epsilon, self._gelu = config.layer_norm_eps, GELU[config.hidden_act]
        self._layers = [layer_parts(layer) for layer in base.encoder.layer]
        self._frozen = frozen_layers
        factors = [rate_factor(depth, len(self._layers), layer_decay) for depth in range(len(self._layers) + 1)]
        self._embedding_factor = factors[0]
        self._kept_share = 1.0  # what weight decay has left of the embedding rows that are not trained
        self._untrained = [
            (weight, weight.detach().clone())
            for weight in (
                table.word_embeddings.weight,
                table.position_embeddings.weight,
                table.token_type_embeddings.weight,
            )
            if not frozen_layers
        ]
        embedding = {
            "words": table.word_embeddings.weight.detach()[self._rows],
            "positions": table.position_embeddings.weight.detach()[self._positions],
            "kind": table.token_type_embeddings.weight.detach()[0],
            "norm": table.LayerNorm.weight.detach(),
            "norm_bias": table.LayerNorm.bias.detach(),
        }
        entries = []
        if not frozen_layers:
            for name, value in embedding.items():
                entries.append(Entry(name, value, "norm" not in name, factors[0], False))
        for number, layer in self._trained_layers():
            for name, tensors in layer.items():
                matrix = tensors[0].ndim > 1
                value = torch.cat([tensor.detach() for tensor in tensors])
                entries.append(Entry(f"{number}.{name}", value, matrix, factors[number + 1], "norm" not in name))
        self._head_names = []
        for name, parameter in head.named_parameters():
            self._head_names.append(name)
            entries.append(Entry(f"head.{name}", parameter, parameter.ndim > 1, 1.0, False))
        self.flat = FlatAdamW(entries, work_type, weight_decay=weight_decay, device=device)
        self._weights = [self._layer_weights(number, work_type) for number in range(len(self._layers))]
        if not frozen_layers:
            embedding = {name: self.flat.views[name] for name in embedding}
        self._embedding = embedding
        self._embedding_gradients = {} if frozen_layers else {name: self.flat.gradients[name] for name in embedding}
        self._anchor = torch.zeros((), device=device, requires_grad=True)
        self._generator = torch.Generator(device=device)
        self._work_type = work_type
        for name, parameter in head.named_parameters():  # the head trains in place
            parameter.data = self.flat.views[f"head.{name}"]
            parameter.grad = self.flat.gradients[f"head.{name}"]
        head.to(device)

    def step(
        self,
        batches: list[dict[str, Any]],
        loss: Callable[[Tensor, Tensor], Tensor],
        *,
        number: int,
        rate: float,
        max_norm: float,
    ) -> Tensor:
        """One optimizer step over one or several batches; returns the summed loss, shape ().

        Args:
            batches: as tasks.batches.collate makes them, packed where ``packs``.
            loss: ``(logits, targets) -> ()``, this batch's share of the step's loss; logits are float32 (n, classes).
            number: of the step, from 0; with the seed it decides all randomness.
            rate: learning rate.
            max_norm: of the gradient.
        """
        randomness = (self.seed * 1_000_003 + number) % 2**63
        self._generator.manual_seed(randomness)
        if self.packs and self.attention_dropout:
            torch.cuda.manual_seed(randomness)
        total = torch.zeros((), device=self.device)
        summed = None
        for batch in batches:
            for name in self._head_names:
                self.flat.gradients[f"head.{name}"].zero_()
            value = loss(self.head(self._forward(batch)).float(), batch["targets"])
            value.backward()
            total += value.detach()
            if len(batches) > 1:
                summed = self.flat.collect() if summed is None else summed.add_(self.flat.collect())
        if summed is not None:
            self.flat.put(summed)
        self.flat.step(rate, max_norm)
        self._kept_share *= 1 - rate * self._embedding_factor * self.weight_decay
        return total

    def sync(self) -> Any:
        """Write the trained weights into the model and return it."""
        masters = self.flat.masters()
        table = self.model.base_model.embeddings
        with torch.no_grad():
            for weight, start in self._untrained:  # from the first values, so that no rounding adds up
                torch.mul(start, self._kept_share, out=weight.detach())
            if not self._frozen:
                table.word_embeddings.weight[self._rows] = masters["words"]
                table.position_embeddings.weight[self._positions] = masters["positions"]
                table.token_type_embeddings.weight[0] = masters["kind"]
                table.LayerNorm.weight.copy_(masters["norm"])
                table.LayerNorm.bias.copy_(masters["norm_bias"])
            for number, layer in self._trained_layers():
                for name, tensors in layer.items():
                    for tensor, value in zip(tensors, masters[f"{number}.{name}"].chunk(len(tensors)), strict=True):
                        tensor.copy_(value)
        return self.model

    def weights(self) -> dict[str, Tensor]:
        """A copy of all that `sync` writes, shape (N,) and ()."""
        share = torch.tensor(self._kept_share, dtype=torch.float64)
        return {"master": self.flat.master.clone(), "kept_share": share}

    def set_weights(self, weights: dict[str, Tensor]) -> None:
        """Take over weights that `weights` gave."""
        self.flat.load({**self.flat.state(), "master": weights["master"]})
        self._kept_share = weights["kept_share"].item()

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on; the tensors themselves, not copies."""
        return {**self.flat.state(), "kept_share": torch.tensor(self._kept_share, dtype=torch.float64)}

    def load(self, state: dict[str, Tensor]) -> None:
        """Go on from a state."""
        self.flat.load(state)
        self._kept_share = state["kept_share"].item()

    def _forward(self, batch: dict[str, Any]) -> Tensor:
        """Hidden states of the last layer after dropout, of the rows that have a label, shape (n, H), float32."""
        ids, answered = batch["input_ids"], batch["answered"]
        rows = ids.numel()
        shape = Shape(self._heads, self._epsilon, self._gelu)
        masks = iter(self._dropout_masks(rows, 2 * len(self._layers) + 2))
        attentions = self._attentions(batch)
        hidden: Tensor
        with torch.set_grad_enabled(not self._frozen):
            hidden = Embedding.apply(  # type: ignore[no-untyped-call]
                self._anchor,
                self._compact[ids],
                batch.get("places"),
                *self._embedding.values(),
                self._embedding_gradients,
                self._epsilon,
            )
            hidden = _dropped(hidden, next(masks))
        last = answered if self.device.type == "cuda" else _filled(answered, rows)
        for number, (weights, attention) in enumerate(zip(self._weights, attentions, strict=True)):
            wanted = last if number == len(self._weights) - 1 else None
            drop = Masks(_of(wanted, next(masks)), _of(wanted, next(masks)))
            if number == self._frozen > 0:
                hidden.requires_grad_()  # from here on gradients are wanted
            with torch.set_grad_enabled(number >= self._frozen):
                hidden = EncoderLayer.apply(hidden, weights, attention, drop, shape, wanted)  # type: ignore[no-untyped-call]
        return _dropped(hidden[: len(answered)], _of(answered, next(masks)))

    def _attentions(self, batch: dict[str, Any]) -> Sequence[Attention]:
        """That of each layer; they differ in what they drop."""
        if self.packs:
            return [Packed(batch["bounds"], batch["longest"], self.attention_dropout)] * len(self._layers)
        count, length = batch["input_ids"].shape
        bias = None
        if batch["padded"]:
            away = (1 - batch["attention_mask"]).to(self._work_type) * torch.finfo(self._work_type).min / 2
            bias = away[:, None, None, :].expand(-1, self._heads, 1, -1).reshape(-1, 1, length)
        masks = self._attention_masks(count * self._heads, length)
        return [Padded(count, length, bias, mask) for mask in masks]

    def _dropout_masks(self, rows: int, count: int) -> list[Tensor | None]:
        drawn = self._draw(self.dropout, (count, rows, self._hidden))
        return [None] * count if drawn is None else list(drawn.unbind(0))

    def _attention_masks(self, rows: int, length: int) -> list[Tensor | None]:
        drawn = self._draw(self.attention_dropout, (len(self._layers), rows, length, length))
        return [None] * len(self._layers) if drawn is None else list(drawn.unbind(0))

    def _draw(self, share: float, shape: tuple[int, ...]) -> Tensor | None:
        """Zeros with probability ``share``, rounded to 256ths, and the inverse of what is kept elsewhere."""
        limit = round(share * BYTES)
        if limit == 0:
            return None
        numbers = torch.empty(math.prod(shape) // 8 + 1, dtype=torch.long, device=self.device)
        numbers.random_(-(2**63), None, generator=self._generator)  # all 64 bits, eight units each
        kept = torch.empty(math.prod(shape), dtype=self._work_type, device=self.device)
        torch.ge(numbers.view(torch.uint8)[: len(kept)], limit, out=kept)  # no bool in between: a tenth of the time
        return kept.mul_(BYTES / max(BYTES - limit, 1)).view(shape)

    def _trained_layers(self) -> list[tuple[int, dict[str, list[Tensor]]]]:
        return list(enumerate(self._layers))[self._frozen :]

    def _layer_weights(self, number: int, work_type: torch.dtype) -> LayerWeights:
        layer = self._layers[number]
        if number < self._frozen:
            wholes = {name: torch.cat([tensor.detach() for tensor in tensors]) for name, tensors in layer.items()}
            held = {name: value if "norm" in name else value.to(work_type) for name, value in wholes.items()}
            return LayerWeights(**held, grads={})
        views = {name: self.flat.views[f"{number}.{name}"] for name in layer}
        return LayerWeights(**views, grads={name: self.flat.gradients[f"{number}.{name}"] for name in layer})


def _filled(answered: Tensor, rows: int) -> Tensor:
    """The answered rows and behind them some others, to a multiple of ROWS or all: few shapes need little code."""
    wanted = min(-(-len(answered) // ROWS) * ROWS, rows)
    if wanted == len(answered):
        return answered
    free = torch.ones(rows, dtype=torch.bool, device=answered.device)
    free[answered] = False
    return torch.cat([answered, free.nonzero().flatten()[: wanted - len(answered)]])


def _of(rows: Tensor | None, mask: Tensor | None) -> Tensor | None:
    """As much of a dropout mask as these rows need."""
    return mask if rows is None or mask is None else mask[: len(rows)]


def _dropped(hidden: Tensor, mask: Tensor | None) -> Tensor:
    return hidden if mask is None else hidden * mask


def layer_parts(layer: Any) -> dict[str, list[Tensor]]:
    """The tensors of a transformers layer under the names of LayerWeights; several are laid above one another."""
    attention, output = layer.attention, layer.output
    projections = [attention.self.query, attention.self.key, attention.self.value]
    return {
        "qkv": [linear.weight for linear in projections],
        "qkv_bias": [linear.bias for linear in projections],
        "out": [attention.output.dense.weight],
        "out_bias": [attention.output.dense.bias],
        "norm1": [attention.output.LayerNorm.weight],
        "norm1_bias": [attention.output.LayerNorm.bias],
        "up": [layer.intermediate.dense.weight],
        "up_bias": [layer.intermediate.dense.bias],
        "down": [output.dense.weight],
        "down_bias": [output.dense.bias],
        "norm2": [output.LayerNorm.weight],
        "norm2_bias": [output.LayerNorm.bias],
    }
