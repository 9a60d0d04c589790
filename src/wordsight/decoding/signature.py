"""Names and shapes of a recognizer's graphs."""

from collections.abc import Mapping
from dataclasses import dataclass

Shape = tuple[int | str, ...]
"""Sizes of a tensor; those that may vary have a name."""

SCENE_INPUTS = ("scene", "scene_index", "has_scene", "scene_box")
"""What a graph that takes scenes is given last; the place in the scene only where it asks for that."""


@dataclass(frozen=True)
class Graph:
    """One ONNX file, and the names and shapes of what goes in and comes out, in order."""

    file: str
    inputs: Mapping[str, Shape]
    outputs: Mapping[str, Shape]

    @property
    def scene_inputs(self) -> tuple[str, ...]:
        """Names of the inputs for scenes; none if this graph takes no scenes."""
        return tuple(name for name in self.inputs if name in SCENE_INPUTS)
