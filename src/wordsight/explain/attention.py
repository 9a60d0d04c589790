"""Attention weights of a torch model, seen while it runs as it always runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from wordsight.decoding import Floats, Ids
from wordsight.models.clip4str import Clip4Str
from wordsight.models.clip4str.graphs import Memory, TorchGraphs


class _Recorder(TorchFunctionMode):
    """Does what `scaled_dot_product_attention` does, in two products, and keeps the weights between them."""

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
        scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
        if is_causal:
            scores = scores.masked_fill(torch.ones_like(scores, dtype=torch.bool).triu(1), float("-inf"))
        if attn_mask is not None:
            scores = scores + attn_mask
        self.weights.append(scores.softmax(-1))
        return F.dropout(self.weights[-1], dropout_p) @ v


@contextmanager
def record_attention() -> Iterator[list[Tensor]]:
    """Inside, every attention adds its weights (B, heads, Q, L) to the list that this gives, in the order of calls.

    The model is not touched: whatever calls torch's `scaled_dot_product_attention` is seen, adapters included, and
    gradients flow through the recorded weights.
    """
    recorder = _Recorder()
    with recorder:
        yield recorder.weights


class WatchedTorch(TorchGraphs):
    """`PsmGraphs` of a torch model that remember what their decoders looked at last.

    Attributes:
        looks: "visual" and "cross" to (B, T, L): how much of position i's attention went to memory token j in the last
            call of that decoder, the mean over the heads of its last layer.
    """

    def __init__(self, model: Clip4Str, cross: bool = True) -> None:
        super().__init__(model, cross)
        self.looks: dict[str, Floats] = {}

    def visual(self, tokens: Ids, kv: Memory, mask: Floats) -> Floats:
        """See `PsmGraphs`."""
        return self._watch("visual", super().visual, tokens, kv, mask)

    def cross(self, tokens: Ids, kv: Memory, mask: Floats, memory_mask: Floats) -> Floats:
        """See `PsmGraphs`."""
        return self._watch("cross", super().cross, tokens, kv, mask, memory_mask)

    def _watch(self, name: str, run: Callable[..., Floats], *inputs: Any) -> Floats:
        with record_attention() as weights:
            logits = run(*inputs)
        self.looks[name] = weights[-1].mean(1).float().cpu().numpy()  # a decoder ends by reading the memory
        return logits
