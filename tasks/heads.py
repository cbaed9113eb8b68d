"""What stands on the encoder: a linear layer, a perceptron or a chain of tags, over the last layer or a mean of layers.

A linear layer over the last one is the class that transformers has, and its folder loads there unchanged. Every other
head is a `Tagger`: its folder is the encoder's, as transformers saves it, with ``head.safetensors`` beside it.
"""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from tasks.crf import Crf
from tasks.errors import UserError

HEAD = "head.safetensors"
LAYERS = 4  # of mean_last_4


class Joined(torch.nn.Module):
    """A head that reads several rows at once: hidden states (n * rows, H) become (n, rows * H)."""

    def __init__(self, rows: int, layer: torch.nn.Module) -> None:
        super().__init__()
        self.rows = rows
        self.layer = layer

    def forward(self, hidden: Tensor) -> Tensor:
        """Outputs (n, C)."""
        joined = hidden.reshape(-1, self.rows * hidden.shape[-1])
        outputs: Tensor = self.layer(joined)
        return outputs


class Tagger(torch.nn.Module):
    """An encoder of transformers with a head that transformers has no class for.

    Attributes:
        encoder: gives hidden states (B, L, H).
        classifier: the head, hidden states (n, H) to scores (n, C).
        features: which hidden states it reads, see `hidden_states`.
    """

    def __init__(self, encoder: Any, classifier: torch.nn.Module, features: str) -> None:
        super().__init__()
        self.encoder = encoder
        self.classifier = classifier
        self.features = features

    @property
    def config(self) -> Any:
        """The encoder's."""
        return self.encoder.config

    @property
    def base_model(self) -> Any:
        """The encoder, under the name that it has in transformers."""
        return self.encoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> SimpleNamespace:
        """``logits`` (B, L, C): scores of the head for each sub-word of B windows of L."""
        hidden = hidden_states(self.encoder, self.features, input_ids, attention_mask)
        return SimpleNamespace(logits=self.classifier(hidden))

    def save_pretrained(self, folder: Path) -> None:
        """The encoder as transformers saves it, and the head beside it."""
        from safetensors.torch import save_file

        self.encoder.save_pretrained(folder)
        tensors = {name: value.detach().cpu().clone() for name, value in self.classifier.state_dict().items()}
        save_file(tensors, folder / HEAD, metadata={"format": "pt"})


def with_head(model: Any, head: str, features: str, classes: Sequence[str], rows: int = 1) -> Any:
    """The model of an adapter with the head and the features that params name.

    Args:
        model: the encoder with the linear layer that transformers puts on it.
        head: linear, mlp or crf.
        features: last, mean_last_4 or frozen.
        classes: names in the order of the scores; none, for tasks that compare hidden states, gives a linear map of
            them that begins by changing nothing.
        rows: hidden states that one output is made of.

    Raises:
        UserError: the encoder has too few layers.
    """
    if features == "mean_last_4" and model.config.num_hidden_layers < LAYERS:
        raise UserError(
            f"params.yaml: finetune.features: mean_last_4 needs {LAYERS} layers, but finetune.model has "
            f"{model.config.num_hidden_layers}; write last"
        )
    encoder = model.base_model
    if features == "frozen":
        encoder.requires_grad_(False)
    if not classes:
        same = torch.nn.Linear(model.config.hidden_size, model.config.hidden_size, bias=False)
        torch.nn.init.eye_(same.weight)
        return Tagger(encoder, same, features)
    if head == "linear" and features != "mean_last_4" and rows == 1:
        return model
    width = model.config.hidden_size
    layer: torch.nn.Module = torch.nn.Linear(rows * width if head == "linear" else width, len(classes))
    if head == "mlp":
        layer = torch.nn.Sequential(torch.nn.Linear(rows * width, width), torch.nn.GELU(), layer)
    elif head == "crf":
        layer = Crf(width, classes)
    for part in layer.modules():
        if isinstance(part, torch.nn.Linear):  # as transformers begins its own
            torch.nn.init.normal_(part.weight, std=getattr(model.config, "initializer_range", 0.02))
            torch.nn.init.zeros_(part.bias)
    return Tagger(encoder, layer if rows == 1 else Joined(rows, layer), features)


def refuse_other_head(model: Any, head: torch.nn.Module) -> None:
    """Stop where transformers' own class makes other scores of the hidden states than ``head`` does.

    A linear head is saved for that class (some families have a layer of their own between), so it would answer
    otherwise there than here. Heads of hone's own and models without such a class have nothing to agree with.

    Raises:
        UserError: the scores differ; names the remedy.
    """
    if isinstance(model, Tagger):
        return
    was_training = model.training
    model.eval()
    ids = torch.arange(4, device=model.device)[None]
    mask = torch.ones_like(ids)
    with torch.no_grad():
        answer = model(input_ids=ids, attention_mask=mask)
        theirs = answer.logits if "logits" in answer else torch.stack([answer.start_logits, answer.end_logits], -1)
        hidden = hidden_states(model.base_model, "last", ids, mask)[0]
        ours = head(hidden[:1] if theirs.dim() == 2 else hidden)
    model.train(was_training)
    theirs = theirs.reshape(ours.shape) if theirs.numel() == ours.numel() else theirs
    if theirs.shape != ours.shape or not torch.allclose(theirs, ours, atol=1e-3):
        raise UserError(
            f"params.yaml: finetune.head: linear is more than one layer on a {model.config.model_type}, which "
            "hone does not know; write mlp"
        )


def load_head(model: Any, folder: Path, head: str, features: str, classes: Sequence[str], rows: int = 1) -> Any:
    """The model of a saved folder with its head.

    Raises:
        UserError: the file of the head is missing or is none of this head.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    made = with_head(model, head, features, classes, rows)
    if isinstance(made, Tagger):
        try:
            made.classifier.load_state_dict(load_file(folder / HEAD))
        except (OSError, SafetensorError, RuntimeError) as error:
            first = str(error).strip().splitlines()[0]
            raise UserError(f"{folder / HEAD}: no head to load ({first}); 'dvc repro' makes it again") from None
    return made


def chain_of(model: Any) -> Crf | None:
    """The chain of tags on top of a model, or None."""
    head = getattr(model, "classifier", None)
    return head if isinstance(head, Crf) else None


def hidden_states(encoder: Any, features: str, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """Hidden states (B, L, H): of the last layer, or the mean of the last four.

    A frozen encoder gives the same ones in training as later: no dropout, no gradient.
    """
    deep = features == "mean_last_4"
    if features == "frozen":
        encoder.eval()
    with torch.set_grad_enabled(torch.is_grad_enabled() and features != "frozen"):
        answer = encoder(input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=deep)
    hidden: Tensor = torch.stack(answer.hidden_states[-LAYERS:]).mean(0) if deep else answer.last_hidden_state
    return hidden
