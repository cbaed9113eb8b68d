"""The plain path of training: any model of transformers, its own forward pass, accelerate, any optimizer."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tasks.compute import Machine
from tasks.crf import Crf
from tasks.depths import freeze
from tasks.encoder_decoders import label_logits
from tasks.heads import hidden_states
from tasks.optimizers import Name, make_optimizer, parameter_groups, set_rate


class PlainEngine:
    """An encoder with a head, or an encoder-decoder without one, on its way through training, changed in place."""

    packs = False

    def __init__(
        self,
        model: Any,
        head: torch.nn.Module | None,
        *,
        machine: Machine,
        weight_decay: float,
        dropout: float,
        seed: int,
        features: str = "last",
        optimizer: Name = "adamw",
        frozen_layers: int = 0,
        layer_decay: float = 1.0,
    ) -> None:
        """Take over ``model``; its lower ``frozen_layers`` layers and the embeddings under them are not trained."""
        from accelerate import Accelerator

        self.seed, self.dropout, self.features = seed, dropout, features
        precision = "bf16" if machine.bf16 else "no"
        self._accelerator = Accelerator(mixed_precision=precision, cpu=machine.device.type == "cpu")
        model.to(machine.device)
        freeze(model, frozen_layers)
        groups = parameter_groups(model, weight_decay, layer_decay)
        made = make_optimizer(optimizer, groups, fused=machine.device.type != "mps")
        # as for evaluation: several processes add up their gradients in `_add_up`, without DistributedDataParallel
        self._model = self._accelerator.prepare_model(model, evaluation_mode=True)
        self._optimizer = self._accelerator.prepare_optimizer(made)
        self._head = head
        self._learning: list[Tensor] = []  # the parameters that get gradients, known after the first step

    def step(
        self,
        batches: list[dict[str, Any]],
        loss: Callable[[Tensor, Tensor], Tensor],
        *,
        number: int,
        rate: float,
        max_norm: float,
    ) -> Tensor:
        """One optimizer step over one or several batches; the arguments are those of FastEngine.step."""
        own = self._accelerator.process_index * 2**40  # each process drops other units
        torch.manual_seed((self.seed * 1_000_003 + number + own) % 2**63)
        self._model.train()
        set_rate(self._optimizer, rate)
        total = torch.zeros((), device=self._accelerator.device)
        for batch in batches:
            with self._accelerator.autocast():
                logits = self._outputs(batch)
            logits = logits.float()
            if isinstance(self._head, Crf):
                logits = self._head.conditional(logits, batch["targets"], batch["lengths"])
            value = loss(logits, batch["targets"])
            self._accelerator.backward(value)
            total += value.detach()
        if self._accelerator.num_processes > 1:
            total = self._add_up(total)
        self._accelerator.clip_grad_norm_(self._model.parameters(), max_norm)
        self._optimizer.step()
        self._optimizer.zero_grad()
        return total

    def _outputs(self, batch: dict[str, Any]) -> Tensor:
        """What is compared with the batch's targets, (n, C): of the head, or of the whole model where there is none."""
        if self._head is None:
            return label_logits(self.model, batch)
        hidden = hidden_states(self.model.base_model, self.features, batch["input_ids"], batch["attention_mask"])
        answered = hidden.flatten(0, 1)[batch["answered"]]
        outputs: Tensor = self._head(torch.nn.functional.dropout(answered, self.dropout))
        return outputs

    def _add_up(self, total: Tensor) -> Tensor:
        """Put the sum over all processes into the gradients and return that of ``total``, in one exchange.

        Each process's loss is its share of the step's, so that sums are right however unequal the shares are.
        """
        if not self._learning:
            trained = [parameter for parameter in self._model.parameters() if parameter.requires_grad]
            there = torch.tensor([parameter.grad is not None for parameter in trained], dtype=torch.float32)
            somewhere = self._accelerator.reduce(there.to(total.device), reduction="sum").tolist()
            self._learning = [parameter for parameter, count in zip(trained, somewhere, strict=True) if count]
        gradients = [
            torch.zeros_like(parameter) if parameter.grad is None else parameter.grad for parameter in self._learning
        ]
        flat = torch.cat([*(gradient.flatten() for gradient in gradients), total[None]])
        summed: Tensor = self._accelerator.reduce(flat, reduction="sum")
        at = 0
        for parameter in self._learning:
            parameter.grad = summed[at : at + parameter.numel()].view_as(parameter)
            at += parameter.numel()
        return summed[at]

    def weights(self) -> dict[str, Tensor]:
        """A copy of the model's weights by name."""
        return {name: value.detach().clone() for name, value in self.model.state_dict().items()}

    def set_weights(self, weights: dict[str, Tensor]) -> None:
        """Take over weights that `weights` gave."""
        self.model.load_state_dict(weights)

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on: weights, and the optimizer's moments and steps by number of parameter."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        for number, moments in self._optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": torch.as_tensor(value) for name, value in moments.items()}
        return tensors

    def load(self, state: dict[str, Tensor]) -> None:
        """Go on from a state."""
        self.set_weights({name.removeprefix("model."): value for name, value in state.items() if name[:6] == "model."})
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in state.items():
            if name.startswith("optimizer."):
                _, number, key = name.split(".")
                moments.setdefault(int(number), {})[key] = value
        self._optimizer.load_state_dict({**self._optimizer.state_dict(), "state": moments})

    @property
    def model(self) -> Any:
        """The model without accelerate's wrapping."""
        return self._accelerator.unwrap_model(self._model)

    def sync(self) -> Any:
        """The model, whose weights are always the newest."""
        return self.model
