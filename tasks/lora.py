"""Low-rank adaptation (Hu et al. 2022) through peft: two small matrices beside each chosen one are trained instead."""

from typing import Any

from tasks.errors import UserError


class Lora:
    """The low-rank matrices inside an encoder, until they are merged into its own."""

    def __init__(self, encoder: Any, *, rank: int, alpha: int, dropout: float, targets: list[str]) -> None:
        """Freeze ``encoder`` and put trainable matrices beside its linear layers named ``targets``.

        Args:
            rank: of the product of the two matrices, at least 1.
            alpha: the product counts ``alpha / rank``.
            dropout: of what the matrices read, 0 to 1.
            targets: last parts of the names of linear layers, e.g. query.

        Raises:
            UserError: the encoder has no such layers; names those that it has.
        """
        import torch
        from peft import LoraConfig, LoraModel

        linear = sorted(
            {name.split(".")[-1] for name, part in encoder.named_modules() if isinstance(part, torch.nn.Linear)}
        )
        if unknown := [target for target in targets if target not in linear]:
            raise UserError(
                f"params.yaml: finetune.lora.targets: {', '.join(unknown)}: no such layer in finetune.model; "
                f"there are: {', '.join(linear)}"
            )
        config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=targets)
        self._encoder = encoder
        self._inside = LoraModel(encoder, config, "default")

    def merge(self) -> None:
        """Add the products to the matrices beside which they stand, and take them out: a plain encoder remains."""
        self._inside.merge_and_unload()
        self._encoder.requires_grad_(True)
        if hasattr(self._encoder, "peft_config"):
            del self._encoder.peft_config
