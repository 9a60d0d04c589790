"""The parts of a CLIP4STR that decoding asks for: as modules, to be exported to ONNX, and as `PsmGraphs`."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from wordsight.models.clip4str.model import Clip4Str
from wordsight.models.parseq.decoder import Decoder


class ImageGraph(nn.Module):
    """Images (B, 3, H, W) to the K/V (B, depth, 2, L, D) of the visual and, unless absent, the cross-modal decoder."""

    def __init__(self, model: Clip4Str, cross: bool) -> None:
        super().__init__()
        self.model = model
        self.cross = cross

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """One K/V per decoder."""
        model = self.model
        memory = model.encode(image)
        visual = model.visual_decoder.memory_kv(memory)
        return (visual, model.cross_decoder.memory_kv(model.cross_memory(memory))) if self.cross else (visual,)


class TextGraph(nn.Module):
    """Caption tokens (B, S) to the K/V (B, depth, 2, S or 1, D) of the cross-modal decoder."""

    def __init__(self, model: Clip4Str) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor) -> Tensor:
        """K/V of all tokens, padding included."""
        return self.model.cross_decoder.memory_kv(self.model.text_features(tokens))


class DecoderGraph(nn.Module):
    """Tokens (B, T), K/V and the query mask (B, T, T) to logits (B, T, C + 1). Content, where it matters, is causal."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, tokens: Tensor, kv: Tensor, mask: Tensor, memory_mask: Tensor | None = None) -> Tensor:
        """Logits of every position query."""
        content_mask = None
        if len(self.decoder.layers) > 1:
            content_mask = torch.full_like(mask, float("-inf")).triu(1)
        logits: Tensor = self.decoder(tokens, kv, mask, memory_mask, content_mask)
        return logits


class TorchGraphs:
    """`PsmGraphs` of a torch model, on the model's device. Put the model in eval mode before use.

    `cross` false leaves the cross-modal branch out, as for a model whose visual branch alone is trained.
    """

    def __init__(self, model: Clip4Str, cross: bool = True) -> None:
        self._model = model
        self._image = ImageGraph(model, cross)
        self._text = TextGraph(model)
        self._visual = DecoderGraph(model.visual_decoder)
        self._cross = DecoderGraph(model.cross_decoder)

    def image(self, images: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32] | None]:
        """See `PsmGraphs`."""
        kv = self._run(self._image, images)
        return kv[0], kv[1] if len(kv) > 1 else None

    def text(self, tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """See `PsmGraphs`."""
        return self._run(self._text, tokens)[0]

    def visual(
        self, tokens: npt.NDArray[np.int64], kv: npt.NDArray[np.float32], mask: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float32]:
        """See `PsmGraphs`."""
        return self._run(self._visual, tokens, kv, mask)[0]

    def cross(
        self,
        tokens: npt.NDArray[np.int64],
        kv: npt.NDArray[np.float32],
        mask: npt.NDArray[np.float32],
        memory_mask: npt.NDArray[np.float32],
    ) -> npt.NDArray[np.float32]:
        """See `PsmGraphs`."""
        return self._run(self._cross, tokens, kv, mask, memory_mask)[0]

    def _run(self, module: nn.Module, *arrays: npt.NDArray[np.generic]) -> list[npt.NDArray[np.float32]]:
        device = next(self._model.parameters()).device
        with torch.inference_mode():
            out = module(*(torch.from_numpy(a).to(device) for a in arrays))
        tensors = out if isinstance(out, tuple) else (out,)
        return [t.float().cpu().numpy() for t in tensors]
