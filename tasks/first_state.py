"""The heads that transformers puts over the first sub-word of a text, as heads over hidden states (n, H)."""

from typing import Any

import torch
from torch import Tensor

from tasks.errors import UserError


class FirstState(torch.nn.Module):
    """The head that transformers puts over the first sub-word of a text, as a head over hidden states (n, H).

    Attributes:
        pooler: what stands between: BERT's pooler, DistilBERT's first layer, or nothing.
        classifier: the model's own; RoBERTa's has its layers within.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.pooler = getattr(model.base_model, "pooler", None)
        self.inner = getattr(model, "pre_classifier", None)
        self.classifier = model.classifier

    def forward(self, hidden: Tensor) -> Tensor:
        """Outputs (n, C)."""
        if self.pooler is not None:
            hidden = self.pooler(hidden[:, None])
        elif self.inner is not None:
            hidden = torch.relu(self.inner(hidden))
        elif not isinstance(self.classifier, torch.nn.Linear):
            hidden = hidden[:, None]
        outputs: Tensor = self.classifier(hidden)
        return outputs


def text_head(model: Any) -> torch.nn.Module:
    """The head over the first hidden state of a text.

    Raises:
        UserError: a model of a family whose head has another form.
    """
    if not hasattr(model, "base_model_prefix"):  # tasks.heads.Tagger
        head: torch.nn.Module = model.classifier
        return head
    if not isinstance(getattr(model, "classifier", None), torch.nn.Module):
        raise UserError(
            f"params.yaml: finetune.head: linear is not known for texts on a {model.config.model_type}; write mlp"
        )
    return FirstState(model)
