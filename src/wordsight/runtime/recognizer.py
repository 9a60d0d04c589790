"""A pack as a recognizer."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt

from wordsight.decoding import Floats, Mode, Reading, Settings
from wordsight.decoding.context import SceneContext
from wordsight.errors import ConfigError
from wordsight.imaging import Preprocessing, prepare
from wordsight.imaging.preprocess import centre_square
from wordsight.runtime.onnx import OnnxEngine
from wordsight.runtime.pack import Pack
from wordsight.runtime.sessions import PROVIDERS, choose_provider, open_session, processors
from wordsight.runtime.signatures import SCENE
from wordsight.text import Charset, Constraint, Dictionary


class OnnxRecognizer:
    """Reads prepared crops with a pack. Nothing about it changes after construction; threads may share it.

    Args:
        pack: A pack from `load_pack`.
        device: "cpu", "cuda", "coreml" or "openvino" (an error if unavailable), or "auto": CUDA where it works,
            else the CPU.
        threads: Threads of one graph run; None for as many as there are processors for this process.
        mode: How it decodes: "full", "adaptive", "visual" or "parallel", see `read_psm`. Kinds other than `psm` have
            one way alone: of `ctc` all mean it, of the others the first two.
        refine_iters: Refinements (of `iterative` packs: corrections); None for what the pack says.
        constraint: What may be read, in the pack's own characters; `psm` packs alone.
        dictionary: Words that are likelier than others; `psm` packs without a constraint alone, others read without.

    Raises:
        DeviceError: the device is not available.
        ConfigError: there is no such mode.
        ModelError: a graph cannot be loaded or is not what the pack says.
    """

    def __init__(
        self,
        pack: Pack,
        device: str = "auto",
        threads: int | None = None,
        *,
        mode: Mode = "full",
        refine_iters: int | None = None,
        constraint: Constraint | None = None,
        dictionary: Dictionary | None = None,
    ) -> None:
        self.pack = pack
        iters = pack.refine_iters if refine_iters is None else refine_iters
        self.settings = Settings(mode, iters, pack.temperature, constraint, dictionary)
        pack.kind.check(mode, iters, constraint is not None)
        self._spec = pack.spec
        self.threads = threads = threads or processors()
        smallest = min(pack.graphs, key=lambda name: (pack.folder / pack.graphs[name].file).stat().st_size)
        self.provider = provider = choose_provider(device, lambda name: open_session(pack, smallest, name, threads))
        self._engine = OnnxEngine(pack, provider, threads, cross=mode != "visual")
        # Constraints look at more than the likeliest class: a margin says little then. Integer products are
        # quick on the CPU alone: elsewhere they would be sent there and back
        fast = pack.fast is not None and constraint is None and provider == PROVIDERS["cpu"]
        self._fast = self._engine.on_fast_path() if fast else None
        # Loaded when the first scene comes: encoders are larger than recognizers.
        self._scene = cache(lambda: open_session(pack, SCENE, provider, threads))

    def constrained(self, constraint: Constraint) -> "OnnxRecognizer":
        """One that reads what `constraint` allows, with the sessions of this one: it costs no memory to speak of.

        Raises:
            ConfigError: packs of this kind read freely only.
        """
        self.pack.kind.check(self.settings.mode, 0, True)
        out = copy.copy(self)
        out.settings, out._fast = replace(self.settings, constraint=constraint), None
        return out

    @property
    def preprocessing(self) -> Preprocessing:
        """How crops have to be prepared."""
        return self.pack.preprocessing

    @property
    def scene_encoder(self) -> str | None:
        """What makes tokens of scenes: two recognizers can share them if this is the same. None: it takes no scenes."""
        return self.pack.files[self.pack.graphs[SCENE].file] if self.pack.scene else None

    @property
    def charset(self) -> Charset:
        """What it can write."""
        return self.pack.charset

    def encode_scenes(self, photos: Sequence[npt.NDArray[np.uint8]]) -> Floats:
        """Photos, uint8 RGB (h, w, 3), to scene tokens (N, M, D), for any number of crops.

        Raises:
            ConfigError: this pack takes no scenes.
        """
        if self.pack.scene is None:
            raise ConfigError(f"the pack {self.pack.name!r} takes no scenes: leave them out")
        cut = [centre_square(photo) for photo in photos] if self.pack.scene_centre else photos
        tokens: Floats = self._scene().run(None, {"image": prepare(cut, self.pack.scene)})[0]
        return tokens

    def read(self, images: Floats, scenes: SceneContext | None = None) -> list[Reading]:
        """Read prepared crops (B, 3, H, W) as one batch. A crop's reading does not depend on the others.

        Raises:
            ConfigError: `scenes` are not what this pack takes.
        """
        if scenes is not None:
            self._check(scenes, len(images))
        if self.pack.fast is None or self._fast is None:
            return self._read(self._engine, images, scenes)
        readings = self._read(self._fast, images, scenes)
        unsure = np.array([i for i, x in enumerate(readings) if x.margin < self.pack.fast.margin], np.int64)
        again = self._read(self._engine, images[unsure], None if scenes is None else scenes[unsure])
        for i, better in zip(unsure, again, strict=True):
            readings[i] = better
        return readings

    def _read(self, engine: OnnxEngine, images: Floats, scenes: SceneContext | None) -> list[Reading]:
        return self.pack.kind.read(engine, images, self._spec, self.settings, scenes)

    def _check(self, scenes: SceneContext, crops: int) -> None:
        if self.pack.scene is None:
            raise ConfigError(f"the pack {self.pack.name!r} takes no scenes: leave them out")
        wanted = ("scenes", *self.pack.scene_tokens)
        if scenes.tokens.shape[1:] != wanted[1:] or not len(scenes.tokens) or len(scenes.index) != crops:
            found = "x".join(map(str, scenes.tokens.shape))
            raise ConfigError(f"scene tokens {found} for {crops} crops: this pack takes {'x'.join(map(str, wanted))}")
        if scenes.boxes is None and self.pack.scene_box:
            raise ConfigError("this pack uses the positions of crops in their scenes: give boxes")
        if np.any((scenes.index < 0) | (scenes.index >= len(scenes.tokens))):
            raise ConfigError(f"scene numbers must lie in 0..{len(scenes.tokens) - 1}")
