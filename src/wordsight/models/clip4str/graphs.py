"""The parts of a CLIP4STR that decoding asks for: as modules, to be exported to ONNX, and as `PsmGraphs`."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from wordsight.decoding.context import WithContext
from wordsight.decoding.graphs import Floats, Ids, Seen
from wordsight.models.clip4str.model import Clip4Str
from wordsight.models.clipter.context import SceneContext
from wordsight.models.losses import column_logits
from wordsight.models.parseq.decoder import Decoder

Memory: TypeAlias = Tensor | WithContext
"""K/V (B, depth, 2, L, D), with the scenes of the rows where a decoder takes them."""


class ImageGraph(nn.Module):
    """Images (B, 3, H, W) to K/V (B, depth, 2, L, D) of the visual and, unless absent, the cross-modal decoder.

    A model with a CTC head also says which class each column (B, W) shows.
    """

    def __init__(self, model: Clip4Str, cross: bool) -> None:
        super().__init__()
        self.model = model
        self.cross = cross

    def forward(self, image: Tensor, context: SceneContext | None = None) -> tuple[Tensor, ...]:
        """One K/V per decoder, and the columns."""
        model = self.model
        memory = model.encode(image, context)
        made = [model.visual_decoder.memory_kv(memory)]
        if self.cross:
            made.append(model.cross_decoder.memory_kv(model.cross_memory(memory)))
        if model.ctc_head is not None:
            made.append(column_logits(model.ctc_head, memory, model.cfg.image.grid).argmax(-1))
        return tuple(made)


class TextGraph(nn.Module):
    """Caption tokens (B, S) to the K/V (B, depth, 2, S or 1, D) of the cross-modal decoder."""

    def __init__(self, model: Clip4Str) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor) -> Tensor:
        """K/V of all tokens, padding included."""
        return self.model.cross_decoder.memory_kv(self.model.text_features(tokens))


class DecoderGraph(nn.Module):
    """Tokens (B, T), K/V and the query mask (B, T, T) to logits (B, T, C + 1). Content, where it matters, is causal.

    `fusion`: that of the decoder's late place, for scenes that are given.
    """

    def __init__(self, decoder: Decoder, fusion: nn.Module | None = None) -> None:
        super().__init__()
        self.decoder = decoder
        self.fusion = fusion

    def forward(
        self,
        tokens: Tensor,
        kv: Tensor,
        mask: Tensor,
        memory_mask: Tensor | None = None,
        context: SceneContext | None = None,
    ) -> Tensor:
        """Logits of every position query."""
        fusion = self.fusion
        told = None if fusion is None or context is None else lambda features: fusion(features, context)
        content_mask = None
        if len(self.decoder.layers) > 1:
            content_mask = torch.full_like(mask, float("-inf")).triu(1)
        logits: Tensor = self.decoder(tokens, kv, mask, memory_mask, content_mask, told)
        return logits


class TorchGraphs:
    """`PsmGraphs` of a torch model, on the model's device and in its precision. K/V are tensors and stay there.

    For decoders with a late fusion the K/V carry the scenes along.

    Put the model in eval mode before use. `cross` false leaves the cross-modal branch out, as for a model whose visual
    branch alone is trained.
    """

    def __init__(self, model: Clip4Str, cross: bool = True) -> None:
        self._model = model
        self._image = ImageGraph(model, cross)
        self._visual = DecoderGraph(model.visual_decoder, _late(model, "visual"))
        if cross:
            self._text = TextGraph(model)
            self._cross = DecoderGraph(model.cross_decoder, _late(model, "cross"))

    def image(self, images: Floats, context: SceneContext | None = None) -> Seen:
        """See `PsmGraphs`. `context`: the scenes of the images."""
        if context is not None:
            context = context.to(self._model.visual_decoder.positions.device)
        made = list(self._run(self._image, images, context=context))
        columns = None if self._model.ctc_head is None else made.pop().cpu().numpy()
        kv: list[Memory] = made
        if context is not None and any(name.startswith("late") for name in self._model.fusions):
            kv = [WithContext(x, context) for x in kv]
        return Seen(kv[0], kv[1] if len(kv) > 1 else None, columns)

    def text(self, tokens: Ids) -> Tensor:
        """See `PsmGraphs`."""
        kv: Tensor = self._run(self._text, tokens)
        return kv

    def join(self, image: Memory, captions: Sequence[Tensor], of_row: Ids, lengths: Ids) -> Memory:
        """See `join_arrays`."""
        kv, context = WithContext.parts(image)
        texts = pad_sequence([kv.movedim(2, 0) for kv in captions], batch_first=True)  # (N, longest S, depth, 2, D)
        texts = texts[torch.from_numpy(of_row).to(kv.device), : int(lengths.max()) - kv.shape[3]]
        joined: Memory = WithContext.of(torch.cat([kv, texts.movedim(1, 3)], dim=3), context)
        return joined

    def visual(self, tokens: Ids, kv: Memory, mask: Floats) -> Floats:
        """See `PsmGraphs`."""
        return self._decode(self._visual, tokens, kv, mask)

    def cross(self, tokens: Ids, kv: Memory, mask: Floats, memory_mask: Floats) -> Floats:
        """See `PsmGraphs`."""
        return self._decode(self._cross, tokens, kv, mask, memory_mask)

    def _decode(self, graph: DecoderGraph, tokens: Ids, kv: Memory, *masks: Floats) -> Floats:
        features, context = WithContext.parts(kv)
        return self._run(graph, tokens, features, *masks, context=context).float().cpu().numpy()

    def _run(self, module: nn.Module, *inputs: Tensor | Floats | Ids, **more: Any) -> Any:
        example = self._model.visual_decoder.positions
        with torch.inference_mode():
            tensors = (torch.as_tensor(x).to(example.device, non_blocking=True) for x in inputs)
            return module(*(x.to(example.dtype) if x.is_floating_point() else x for x in tensors), **more)


def _late(model: Clip4Str, decoder: str) -> nn.Module | None:
    """The fusion on a decoder's output, if there is one."""
    return getattr(model.fusions, f"late_{decoder}", None)
