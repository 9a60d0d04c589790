"""A pack's graphs in ONNX Runtime, as decoding asks for them."""

import copy
from collections.abc import Collection, Sequence
from typing import Self

import numpy as np

from wordsight.decoding import Floats, join_arrays
from wordsight.decoding.arrays import Array, Numbers
from wordsight.decoding.context import AnyContext, SceneContext
from wordsight.runtime.pack import Pack
from wordsight.runtime.sessions import open_session, run_session
from wordsight.runtime.signatures import SCENE


class OnnxEngine:
    """`Engine` over the graphs of a pack, all but `scene`. `context` is a `SceneContext`.

    A graph that takes scenes is given the null scene where there is no context. Without `cross` the graphs of a
    cross-modal branch stay on disk.
    """

    join = staticmethod(join_arrays)

    def __init__(self, pack: Pack, provider: str, threads: int, *, cross: bool = True) -> None:
        self._pack = pack
        unused = {SCENE} if cross else {SCENE, "text", "cross"}
        names = [name for name in pack.graphs if name not in unused]
        self._sessions = {name: open_session(pack, name, provider, threads) for name in names}
        self._options = provider, threads

    @property
    def graphs(self) -> Collection[str]:
        """See `Engine`."""
        return self._sessions.keys()

    def run(self, name: str, *inputs: Array, context: AnyContext = None) -> tuple[Floats, ...]:
        """See `Engine`.

        Raises:
            ModelError: the graph cannot compute this, or what comes out are no numbers.
        """
        graph = self._pack.graphs[name]
        named: dict[str, Array | None] = dict(zip(graph.inputs, inputs, strict=False))
        if graph.scene_inputs:
            scenes = context or SceneContext.none(len(inputs[0]), *self._pack.scene_tokens)
            given = (scenes.tokens, scenes.index, scenes.present, scenes.boxes)
            named |= dict(zip(graph.scene_inputs, given, strict=False))
        return tuple(self._run(name, **named))

    def on_fast_path(self) -> Self:
        """With the pack's int8 image graph, and the other sessions of this one."""
        out = copy.copy(self)
        out._sessions = {**self._sessions, "image": open_session(self._pack.on_fast_path, "image", *self._options)}
        return out

    def numpy(self, array: Array) -> Numbers:
        """It is."""
        return np.asarray(array)

    def _run(self, name: str, **inputs: Array | None) -> Sequence[Floats]:
        what = f"model pack {self._pack.folder}: {self._pack.graphs[name].file}"
        return run_session(self._sessions[name], inputs, what, "download or export the pack again")
