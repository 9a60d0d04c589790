"""Attention weights of a torch model, seen while it runs as it always runs."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from wordsight.decoding import Floats
from wordsight.decoding.arrays import Array
from wordsight.decoding.context import AnyContext
from wordsight.models.parseq import Parseq
from wordsight.models.reading import TorchEngine


class RecordedAttention(TorchFunctionMode):
    """In a `with` block, keeps the weights of every attention, in the order of calls: (B, heads, Q, L) each.

    The model is not touched: whatever calls torch's `scaled_dot_product_attention` is seen, adapters included, and
    gradients flow through the recorded weights.
    """

    def __init__(self) -> None:
        super().__init__()
        self.weights: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is not F.scaled_dot_product_attention:
            return func(*args, **(kwargs or {}))
        return self._attend(*args, **(kwargs or {}))

    def _attend(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
    ) -> Tensor:
        """What the function does, in two products, keeping the weights between them."""
        scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
        if is_causal:
            scores = scores.masked_fill(torch.ones_like(scores, dtype=torch.bool).triu(1), float("-inf"))
        if attn_mask is not None:
            scores = scores + attn_mask
        self.weights.append(scores.softmax(-1))
        return F.dropout(self.weights[-1], dropout_p) @ v


class WatchedTorch(TorchEngine):
    """An engine that remembers what its decoders looked at last.

    Attributes:
        looks: "visual" and "cross" to (B, T, L): how much of position i's attention went to memory token j in the last
            call of that decoder, the mean over the heads of its last layer.
    """

    def __init__(self, model: Parseq, cross: bool = True) -> None:
        super().__init__(model, cross)
        self.looks: dict[str, Floats] = {}

    def run(self, name: str, *inputs: Array, context: AnyContext = None) -> tuple[Tensor, ...]:
        """See `Engine`."""
        with RecordedAttention() as recorded:
            outputs = super().run(name, *inputs, context=context)
        if name in ("visual", "cross"):
            self.looks[name] = self.numpy(recorded.weights[-1].mean(1))  # a decoder ends by reading the memory
        return outputs
