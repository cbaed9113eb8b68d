"""The fast path of training: BERT and RoBERTa encoders with linear cost per real sub-word and no wasted work.

Against the plain path (the model's own forward under autocast, torch's AdamW) it casts each weight once per step,
draws dropout from few random bits, writes gradients into one vector that AdamW updates in one pass, and
trains only the embedding rows that the data can change. The others get the weight decay that AdamW would give them, in
one product. Frozen layers run without gradients and stay out of the vector.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from tasks.compute import Machine
from tasks.depths import rate_factor
from tasks.fast_attention import Attention, Padded
from tasks.fast_families import GELU, ROWS, layer_parts, unfit_family
from tasks.fast_graphs import PackedPasses
from tasks.fast_layers import EmbeddingWeights, LayerWeights, Shape
from tasks.fast_operations import operations
from tasks.fast_passes import Passes, Through
from tasks.flat import Entry, FlatAdamW

FLASH = (8, 0)  # compute capability from which on torch's FlashAttention runs
WIDEST = 256  # units of a head in it


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
        self.model, self.head, self.device = model, head, device
        self.packs = device.type == "cuda"
        self.dropout, self.attention_dropout, self.seed = dropout, attention_dropout, seed
        self.weight_decay = weight_decay
        base = model.base_model
        config = model.config
        table = base.embeddings
        self._rows = torch.tensor(sorted(set(used_ids)))
        compact = torch.zeros(config.vocab_size, dtype=torch.long)
        compact[self._rows] = torch.arange(len(self._rows))
        self._compact = compact.to(device)
        self._lent = False  # whether the model's own modules lie on the card, for who validates with them
        first = config.pad_token_id + 1 if config.model_type != "bert" else 0
        self._positions = slice(first, first + longest)
        self._heads, self._hidden = config.num_attention_heads, config.hidden_size
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
                entries.append(
                    Entry(name, value, "norm" not in name, factors[0], False, late=name == "words" and not self.packs)
                )
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
        gradients = {}
        if not frozen_layers:
            gradients = {name: self.flat.gradients[name] for name in embedding}
            embedding = {name: self.flat.views[name] for name in embedding}
        do = operations(work_type, device)
        self._operations, self._source = do, do.dropout
        self._unpads = do.unpads(self._heads, self._hidden)
        self._passes = Passes(
            EmbeddingWeights(
                **{name: value.to(device) for name, value in embedding.items()},
                grads=gradients,
                cleared=self.flat.clears,
            ),
            [self._layer_weights(number, work_type) for number in range(len(self._layers))],
            Shape(self._heads, config.layer_norm_eps, GELU[config.hidden_act], do),
            frozen_layers,
        )
        self._anchor = torch.zeros((), device=device, requires_grad=True)
        self._packed = PackedPasses(self._passes, self._compact, self._source, dropout, attention_dropout)
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
            batches: as tasks.batches.collate makes them, or where ``packs`` as tasks.resident does.
            loss: ``(logits, targets) -> ()``, this batch's share of the step's loss; logits are float32 (n, classes).
            number: of the step, from 0; with the seed it decides all randomness.
            rate: learning rate.
            max_norm: of the gradient.
        """
        if self._lent:
            inside = {id(module) for module in self.head.modules()}  # such as BERT's pooler, which trains on the card
            for part in self.model.base_model.children():
                if id(part) not in inside:
                    part.to("cpu")
            self._lent = False
        randomness = (self.seed * 1_000_003 + number) % 2**63
        self._source.seed(randomness)
        if self.packs and self.attention_dropout:
            torch.cuda.manual_seed(randomness)
        total = torch.zeros((), device=self.device)
        summed = None
        for batch in batches:
            for name in self._head_names:
                self.flat.gradients[f"head.{name}"].zero_()
            hidden, targets = self._forward(batch)
            value = loss(self.head(hidden).float(), targets)
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
        """Write the trained weights into the model and return it, on the device until the next step."""
        self.model.to(self.device)
        self._lent = self.device.type != "cpu"
        masters = self.flat.masters()
        table = self.model.base_model.embeddings
        with torch.no_grad():
            for weight, start in self._untrained:  # from the first values, so that no rounding adds up
                weight.copy_(start).mul_(self._kept_share)
            if not self._frozen:
                table.word_embeddings.weight[self._rows.to(self.device)] = masters["words"]
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

    def _forward(self, batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Hidden states of the last layer after dropout, of the rows that the head reads, (n, H), and its targets."""
        if self.packs:
            hidden, targets, backward = self._packed(batch["packed"])
            return Through.apply(self._anchor, hidden, backward), targets  # type: ignore[no-untyped-call]
        answered = batch["answered"]
        with torch.no_grad():
            ids, places, wanted, attentions = self._unpadded(batch) if self._unpads else self._padded(batch)
            dropped = self._source.several(self.dropout, self._passes.dropouts, (ids.numel(), self._hidden))
            ids = self._compact[ids]
            self.flat.read(ids)
            hidden, tape = self._passes.forward(ids, places, attentions, dropped, wanted)
        hidden = Through.apply(self._anchor, hidden, partial(self._passes.backward, tape=tape))  # type: ignore[no-untyped-call]
        return hidden[: len(answered)], batch["targets"]

    def _padded(self, batch: dict[str, Any]) -> tuple[Tensor, None, Tensor, Sequence[Attention]]:
        """Sub-words (B, L), rows that go on after the last layer, and the attention of each layer."""
        ids = batch["input_ids"]
        count, length = ids.shape
        padding = self._operations.padding(batch["attention_mask"], self._heads)
        square = (count * self._heads, length, length)
        draws = self._source.several(self.attention_dropout, len(self._layers), square)
        attentions = [Padded(self._operations, count, length, padding, dropped) for dropped in draws]
        return ids, None, _filled(batch["answered"], ids.numel()), attentions

    def _unpadded(self, batch: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor, Sequence[Attention]]:
        """Sub-words (T,) of all sentences and their places there, and the rest as `_padded`."""
        from tasks.compiled_attention import Tiled

        mask = batch["attention_mask"]
        count, length = mask.shape
        real = mask.flatten().nonzero().flatten()
        behind = mask.flatten().cumsum(0)
        starts = torch.cat([behind.new_zeros(1), behind[length - 1 :: length]])
        draws = self._source.several(self.attention_dropout, len(self._layers), (count * self._heads, length, length))
        attentions = [Tiled(starts, length, dropped) for dropped in draws]
        return batch["input_ids"].flatten()[real], real % length, behind[batch["answered"]] - 1, attentions

    def _trained_layers(self) -> list[tuple[int, dict[str, list[Tensor]]]]:
        return list(enumerate(self._layers))[self._frozen :]

    def _layer_weights(self, number: int, work_type: torch.dtype) -> LayerWeights:
        layer = self._layers[number]
        if number < self._frozen:
            parts = {name: torch.cat([tensor.detach() for tensor in tensors]) for name, tensors in layer.items()}
            wholes = {name: value.to(self.device) for name, value in parts.items()}
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
