"""The roof of a training step: what the arithmetic and the optimizer's memory traffic take at the speeds measured here.

    roof seconds = matrix FLOPs of the real sub-words / rate of matrix products
                 + 28 bytes x updated parameters / memory rate

FLOPs (2 per multiply-add) of a sentence of n sub-words in an encoder with L layers, width h, inner width f, c classes:

    forward   L (2 n (4 h^2 + 2 h f) + 4 n^2 h) + 2 n h c
    backward  twice that: one product for the gradient of the input, one for that of the weight

The terms are query, key, value and output (4 h^2), the two inner products (2 h f), scores and context (4 n^2 h: two
products of n x n x h over all heads together), and the head. Norms, softmax, activations, dropout are not counted.
AdamW reads parameter, gradient and two moments and writes parameter and moments: 7 float32 values, 28 bytes. Rows of
the embeddings that no sentence uses get no gradient and are not counted.

Both rates are measured by `python -m benchmarks.roof`, which prints JSON: matrix products as the median over square
ones of n = 1024 and 2048 in bf16 (fp32 where the device has no bf16), memory by a <- b + s c over arrays beyond the
caches (12 bytes an element; McCalpin's STREAM triad).
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

PRODUCTS = (1024, 2048)
ELEMENTS = 1 << 25  # of each array of the triad: 128 MiB
ADAMW_BYTES = 28


@dataclass(frozen=True)
class Shape:
    """What the cost of an encoder with a linear head follows from (the letters of the formula above).

    Attributes:
        layers: L.
        width: h.
        inner: f.
        classes: c.
    """

    layers: int
    width: int
    inner: int
    classes: int


def step_flops(shape: Shape, lengths: Sequence[int]) -> int:
    """Matrix FLOPs of forward and backward over sentences of these lengths in sub-words, padding not counted."""
    h = shape.width
    total = 0
    for n in lengths:
        linear = 2 * n * (4 * h * h + 2 * h * shape.inner)
        attention = 4 * n * n * h
        total += 3 * (shape.layers * (linear + attention) + 2 * n * h * shape.classes)
    return total


def updated_parameters(shape: Shape, used_rows: int, longest: int) -> int:
    """Parameters that the data can change, of a BERT-like encoder with a linear head.

    Args:
        used_rows: different sub-words in the data.
        longest: sub-words of the longest sentence: rows of the position embeddings that are used.
    """
    h, f = shape.width, shape.inner
    layer = 4 * (h * h + h) + (h * f + f) + (f * h + h) + 2 * (2 * h)
    embeddings = (used_rows + longest + 1) * h + 2 * h  # one row of token types, and the norm
    return embeddings + shape.layers * layer + h * shape.classes + shape.classes


def roof_seconds(flops: float, parameters: int, product_rate: float, memory_rate: float) -> float:
    """Seconds of a step at the roof; rates in FLOP/s and bytes/s."""
    return flops / product_rate + ADAMW_BYTES * parameters / memory_rate


def encoder_shape(source: str, load: dict[str, Any], classes: int) -> Shape:
    """The shape of a model from its config."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(source, **{key: load[key] for key in load if key != "use_safetensors"})
    return Shape(config.num_hidden_layers, config.hidden_size, config.intermediate_size, classes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--device", choices=["cpu", "cuda", "mps"], required=True)
    parser.add_argument("--repeats", type=int, default=12, help="of each measurement")
    parser.add_argument("--fp32", action="store_true", help="products in fp32")
    options = parser.parse_args()
    print(
        json.dumps(
            measure(options.device, options.threads, repeats=options.repeats, bf16=not options.fp32), sort_keys=True
        )
    )


def measure(device: str, threads: int, *, repeats: int, bf16: bool, elements: int = ELEMENTS) -> dict[str, float]:
    """Rate of matrix products in FLOP/s and of memory in bytes/s."""
    import torch

    torch.set_num_threads(threads)
    wait: Callable[[], None] = {"cuda": torch.cuda.synchronize, "mps": torch.mps.synchronize}.get(device, lambda: None)

    def timed(work: Callable[[], Any]) -> float:
        wait()
        started = time.perf_counter()
        work()
        wait()
        return time.perf_counter() - started

    def rates(work: Callable[[], Any], amount: float) -> list[float]:
        for _ in range(3):  # code is made for the shape, and the clock rises
            timed(work)
        return [amount / timed(work) for _ in range(repeats)]

    products = []
    for n in PRODUCTS:
        kind = torch.bfloat16 if bf16 else torch.float32
        left, right = (torch.randn(n, n, device=device, dtype=kind) for _ in range(2))
        products += rates(lambda left=left, right=right: left @ right, 2.0 * n**3)  # type: ignore[misc]
    a, b, c = (torch.ones(elements, device=device) for _ in range(3))
    memory = rates(lambda: torch.add(b, c, alpha=0.5, out=a), 12.0 * elements)
    return {"memory_rate": median(memory), "product_rate": median(products)}


if __name__ == "__main__":
    main()
