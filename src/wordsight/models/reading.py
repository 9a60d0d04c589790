"""Reading with a torch recognizer of any decoding kind."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wordsight.decoding import Floats, Mode, Reading
from wordsight.decoding.context import Scenes
from wordsight.decoding.engines import GRAPHS, check_decoding, read_images
from wordsight.errors import ConfigError
from wordsight.imaging import Preprocessing
from wordsight.models.clip4str.graphs import TorchGraphs
from wordsight.models.clipter.context import SceneContext
from wordsight.models.clipter.scene import SceneEncoder
from wordsight.models.parts import parts


class TorchRecognizer:
    """Reads prepared crops with a model as it stands, on its device and in its precision: put it in eval mode before.

    Args:
        model: A recognizer of the registry.
        mode: How it decodes: "full", "adaptive", "visual" or "parallel", see `read_psm`. Kinds other than `psm` have
            one way alone: of `ctc` all mean it, of the others the first two.
        cross: False leaves the cross-modal branch out, for a model whose visual branch alone is trained.
        refine_iters: Refinements of `psm`, corrections of `iterative`; None: as in the papers.
        scenes: The encoder of photos for a model that takes scenes; a `Reader` needs it.

    Raises:
        ConfigError: there is no such mode.
    """

    def __init__(
        self,
        model: Any,
        mode: Mode = "full",
        *,
        cross: bool = True,
        refine_iters: int | None = None,
        scenes: SceneEncoder | None = None,
    ) -> None:
        check_decoding(model.decoding, mode, refine_iters or 0)
        self.model = model
        self.mode = mode
        self.refine_iters = refine_iters
        self.scenes = scenes
        self._graphs: Any
        if model.decoding == "psm":
            self._spec: Any = model.cfg.psm
            self._graphs = TorchGraphs(model, cross and mode != "visual" and model.cross_decoder is not None)
        else:
            self._spec = model.cfg
            self._graphs = GRAPHS[model.decoding](TorchEngine(model))

    @property
    def preprocessing(self) -> Preprocessing:
        """How crops have to be prepared."""
        spec: Preprocessing = self.model.cfg.preprocessing
        return spec

    @property
    def provider(self) -> str:
        """What it runs on."""
        return f"torch on {next(self.model.parameters()).device}"

    @property
    def scene_encoder(self) -> str | None:
        """What makes tokens of scenes; None where nothing does."""
        return self.scenes.identity if self.scenes else None

    def encode_scenes(self, photos: Sequence[npt.NDArray[np.uint8]]) -> Floats:
        """Photos, uint8 RGB (h, w, 3), to scene tokens (N, M, D).

        Raises:
            ConfigError: it has no encoder.
        """
        if self.scenes is None:
            raise ConfigError("this recognizer was created without a scene encoder: give it one")
        return self.scenes.encode(photos).float().cpu().numpy()

    def read(self, images: Floats, context: SceneContext | Scenes | None = None) -> list[Reading]:
        """Read prepared crops (B, 3, H, W) as one batch, given the scenes `context`, in torch or in NumPy.

        A crop's reading does not depend on the others.
        """
        if isinstance(context, Scenes):
            context = tensors(context)
        readings, _ = read_images(
            self.model.decoding,
            self._graphs,
            images,
            self._spec,
            context=context,
            mode=self.mode,
            refine_iters=self.refine_iters,
        )
        return readings


def tensors(scenes: Scenes) -> SceneContext:
    """Scenes in torch."""
    values, index, present = (torch.from_numpy(x) for x in (scenes.tokens, scenes.index, scenes.present))
    return SceneContext(values, index, present, None if scenes.boxes is None else torch.from_numpy(scenes.boxes))


class TorchEngine:
    """`decoding.engines.Engine` over the parts of a model. `context` is a `SceneContext`; outputs are tensors."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._parts = parts(model)

    def run(self, name: str, *inputs: Any, context: SceneContext | None = None) -> tuple[Any, ...]:
        """See `Engine`."""
        part = self._parts[name]
        given = list(inputs)
        if part.told and context is not None:
            given += [context.tokens, context.index, context.present]
            given += [] if context.boxes is None else [context.boxes]
        example = next(parameter for parameter in self._model.parameters() if parameter.is_floating_point())
        with torch.inference_mode():
            tensors = (torch.as_tensor(x).to(example.device, non_blocking=True) for x in given)
            out = part.module(*(x.to(example.dtype) if x.is_floating_point() else x for x in tensors))
        return out if isinstance(out, tuple) else (out,)

    def numpy(self, array: Tensor) -> Floats:
        """See `Engine`."""
        return array.float().cpu().numpy()
