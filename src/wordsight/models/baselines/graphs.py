"""The one graph of recognizers that read at once, to be run or to be exported to ONNX."""

from typing import Any

from torch import Tensor, nn

from wordsight.models.clipter import SceneContext


class LogitsGraph(nn.Module):
    """Images (B, 3, H, W) to logits (B, P, C + 1): of columns for CTC, of positions for parallel reading."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor, context: SceneContext | None = None) -> Tensor:
        """See the class."""
        return self.model.decode(self.model.encode(image, context), context)
