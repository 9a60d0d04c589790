"""A pack's graphs in ONNX Runtime, as decoding asks for them."""

import copy
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from wordsight.decoding import Floats, Ids, Seen, join_arrays
from wordsight.decoding.context import Scenes, WithContext
from wordsight.errors import ModelError
from wordsight.runtime.pack import Pack
from wordsight.runtime.sessions import open_session
from wordsight.runtime.signatures import SCENE


class OnnxEngine:
    """`decoding.engines.Engine` over the graphs of a pack, all but `scene`. `context` is a `Scenes`.

    A graph that takes scenes is given the null scene where there is no context.
    """

    def __init__(self, pack: Pack, provider: str, threads: int, names: Sequence[str] | None = None) -> None:
        self._pack = pack
        names = [name for name in pack.graphs if name != SCENE] if names is None else names
        self._sessions = {name: open_session(pack, name, provider, threads) for name in names}
        self._options = provider, threads

    def run(self, name: str, *inputs: Any, context: Any = None) -> tuple[Any, ...]:
        """See `Engine`.

        Raises:
            ModelError: the graph cannot compute this, or what comes out are no numbers.
        """
        graph = self._pack.graphs[name]
        named = dict(zip(graph.inputs, inputs, strict=False))
        if graph.told:
            scenes: Scenes = Scenes.none(len(inputs[0]), *self._pack.scene_tokens) if context is None else context
            given = (scenes.tokens, scenes.index, scenes.present, scenes.boxes)
            named |= dict(zip(graph.told, given, strict=False))
        return tuple(self._run(name, **named))

    def hurried(self) -> Self:
        """With the pack's quick image graph, and the other sessions of this one."""
        out = copy.copy(self)
        out._sessions = {**self._sessions, "image": open_session(self._pack.hurried, "image", *self._options)}
        return out

    def numpy(self, array: Any) -> Floats:
        """It is."""
        out: Floats = array
        return out

    def _run(self, name: str, **inputs: npt.NDArray[Any]) -> Sequence[Floats]:
        what = f"model pack {self._pack.folder}: {self._pack.graphs[name].file}"
        try:
            outputs: Sequence[Floats] = self._sessions[name].run(None, inputs)
        except Exception as error:  # ONNX Runtime's own exceptions share no base class
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise ModelError(f"{what} failed ({reason}): download or export the pack again") from None
        if any(out.size and np.isnan(out.min()) for out in outputs):  # one NaN makes a minimum NaN
            raise ModelError(f"{what} outputs NaN: download or export the pack again")
        return outputs


class OnnxGraphs(OnnxEngine):
    """`PsmGraphs` over ONNX Runtime sessions: see there for the methods. Without `cross` half of them stay on disk."""

    def __init__(self, pack: Pack, provider: str, threads: int, *, cross: bool = True) -> None:
        super().__init__(pack, provider, threads, None if cross else ("image", "visual"))

    def image(self, images: Floats, context: Scenes | None = None) -> Seen:
        """Run `image`."""
        made = dict(zip(self._pack.graphs["image"].outputs, self.run("image", images, context=context), strict=True))
        kv = [WithContext.of(made[name], context) for name in ("kv_visual", "kv_cross_image") if name in made]
        return Seen(kv[0], kv[1] if len(kv) > 1 else None, made.get("columns"))

    def text(self, tokens: Ids) -> Floats:
        """Run `text`."""
        kv: Floats = self.run("text", tokens)[0]
        return kv

    def join(self, image: Any, captions: Sequence[Floats], of_row: Ids, lengths: Ids) -> Any:
        """`join_arrays`."""
        kv, context = WithContext.parts(image)
        return WithContext.of(join_arrays(kv, captions, of_row, lengths), context)

    def visual(self, tokens: Ids, kv: Any, mask: Floats) -> Floats:
        """Run `visual`."""
        kv, context = WithContext.parts(kv)
        return self.numpy(self.run("visual", tokens, kv, mask, context=context)[0])

    def cross(self, tokens: Ids, kv: Any, mask: Floats, memory_mask: Floats) -> Floats:
        """Run `cross`."""
        kv, context = WithContext.parts(kv)
        return self.numpy(self.run("cross", tokens, kv, mask, memory_mask, context=context)[0])
