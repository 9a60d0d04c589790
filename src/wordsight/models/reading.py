"""Reading with a torch recognizer of any decoding kind."""

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from wordsight.decoding import Floats, Ids, Mode, Reading, Settings
from wordsight.decoding.arrays import Array, Numbers
from wordsight.decoding.context import AnyContext
from wordsight.errors import ConfigError
from wordsight.models.clipter.scene import SceneEncoder
from wordsight.models.recognizer import Recognizer


class TorchRecognizer:
    """A `SceneConditioned` recognizer: a model as it is, on its device and in its precision, in eval mode.

    Args:
        model: A recognizer of the registry, which the caller puts into eval mode.
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
        model: Recognizer,
        mode: Mode = "full",
        *,
        cross: bool = True,
        refine_iters: int | None = None,
        scenes: SceneEncoder | None = None,
    ) -> None:
        model.kind.check(mode, refine_iters or 0)
        self.model = model
        self.settings = Settings(mode, refine_iters)
        self._spec = model.cfg.spec
        self.preprocessing = model.cfg.preprocessing
        self.scenes = scenes
        self.engine = TorchEngine(model, cross and mode != "visual")

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

    def read(self, images: Floats, scenes: AnyContext = None) -> list[Reading]:
        """Read prepared crops (B, 3, H, W) as one batch, given their scenes, in torch or in NumPy.

        A crop's reading does not depend on the others.
        """
        return self.model.kind.read(self.engine, images, self._spec, self.settings, scenes)


class TorchEngine:
    """`Engine` over the graphs of a model. `context` is a `SceneContext`; arrays are tensors.

    Put the model in eval mode before use. `cross` false leaves a cross-modal branch out.
    """

    def __init__(self, model: Recognizer, cross: bool = True) -> None:
        self._graphs = model.graphs(cross)
        self._example = next(parameter for parameter in model.parameters() if parameter.is_floating_point())

    @property
    def graphs(self) -> Collection[str]:
        """See `Engine`."""
        return self._graphs.keys()

    def run(self, name: str, *inputs: Array, context: AnyContext = None) -> tuple[Tensor, ...]:
        """See `Engine`."""
        graph, given = self._graphs[name], list(inputs)
        if graph.takes_scenes and context is not None:
            given += [context.tokens, context.index, context.present]
            given += [] if context.boxes is None else [context.boxes]
        device, dtype = self._example.device, self._example.dtype
        with torch.inference_mode():
            tensors = (torch.as_tensor(x).to(device, non_blocking=True) for x in given)
            out = graph(*(x.to(dtype) if x.is_floating_point() else x for x in tensors))
        return out if isinstance(out, tuple) else (out,)

    def numpy(self, array: Array) -> Numbers:
        """See `Engine`."""
        tensor = torch.as_tensor(array)
        return (tensor.float() if tensor.is_floating_point() else tensor).cpu().numpy()

    def join(self, image: Array, captions: Sequence[Array], of_row: Ids, lengths: Ids) -> Tensor:
        """See `Engine`."""
        whole = torch.as_tensor(image)
        texts = pad_sequence([torch.as_tensor(kv).movedim(2, 0) for kv in captions], batch_first=True)
        texts = texts[torch.from_numpy(of_row).to(whole.device), : int(lengths.max()) - whole.shape[3]]
        return torch.cat([whole, texts.movedim(1, 3)], dim=3)  # texts were (B, longest S, depth, 2, D)
