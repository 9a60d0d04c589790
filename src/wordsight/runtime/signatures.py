"""Whether the graphs that a pack states are those of its kind; and those that take scenes."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from wordsight.decoding import Graph, Kind
from wordsight.decoding.signature import SCENE_INPUTS, Shape
from wordsight.imaging import Preprocessing

SCENE = "scene"
"""The graph that makes tokens of scenes."""


def input_shape(preprocessing: Preprocessing) -> Shape:
    """Of prepared crops."""
    return ("batch", 3, preprocessing.height, preprocessing.width or "width")


def scene_graph(preprocessing: Preprocessing, tokens: int, width: int) -> Graph:
    """The graph `scene`: pictures of N scenes to their tokens (N, tokens, width), pooling included."""
    pictures: Shape = ("scenes", *input_shape(preprocessing)[1:])
    return Graph("scene.onnx", {"image": pictures}, {"tokens": ("scenes", tokens, width)})


def with_scenes(graphs: Mapping[str, Graph], where: Iterable[str], scene: Graph, *, box: bool) -> dict[str, Graph]:
    """The graphs, those named in `where` with inputs for scenes, and the graph `scene` itself.

    `scene` (N, M, D_s) holds the tokens of N scenes, `scene_index` (B,) which of them belongs to a crop, `has_scene`
    (B,) 1 or, for the null scene, 0, which multiplies the gate; `scene_box` (B, 4), where the fusion asks for that, the
    place of the crop in its scene: centre x, y, width, height as shares of the scene's sides.
    """
    shapes: tuple[Shape, ...] = (scene.outputs["tokens"], ("batch",), ("batch",), ("batch", 4))
    inputs = dict(zip(SCENE_INPUTS if box else SCENE_INPUTS[:3], shapes, strict=False))
    conditioned = {name: replace(graphs[name], inputs={**graphs[name].inputs, **inputs}) for name in where}
    return {**graphs, **conditioned, SCENE: scene}


def mismatch(
    graphs: Mapping[str, Graph],
    kind: Kind,
    preprocessing: Preprocessing,
    classes: int,
    positions: int,
    scene: Preprocessing | None,
) -> str | None:
    """What is wrong with the graphs that a pack states, in one line; None if they are what decoding needs.

    Args:
        graphs: As stated.
        kind: The pack's. Graphs must be those of its signature, for some sizes.
        preprocessing: Of crops.
        classes: [E] and the characters.
        positions: Characters of the longest word, and [E].
        scene: Preprocessing of scenes, where the pack takes them.
    """
    made = {name: tuple(graph.outputs.values()) for name, graph in graphs.items()}
    try:
        wanted = kind.signature(input_shape(preprocessing), classes, positions, made)
    except (KeyError, ValueError):
        return f"its image graph states no {kind.made}"
    if scene:
        tokens = graphs[SCENE].outputs.get("tokens", ()) if SCENE in graphs else ()
        if len(tokens) != 3 or not all(isinstance(size, int) for size in tokens[1:]):
            return "it has no graph 'scene' that states tokens of shape (scenes, tokens, width)"
        where = [name for name in wanted if name in graphs and graphs[name].scene_inputs]
        if not where:
            return "it has a graph 'scene', but no graph that takes scenes"
        box = any("scene_box" in graphs[name].scene_inputs for name in where)
        wanted = with_scenes(wanted, where, scene_graph(scene, int(tokens[1]), int(tokens[2])), box=box)
    return _difference(graphs, wanted)


def _difference(graphs: Mapping[str, Graph], wanted: Mapping[str, Graph]) -> str | None:
    if graphs.keys() != wanted.keys():
        return f"it has the graphs {', '.join(sorted(graphs))}, not {', '.join(sorted(wanted))}"
    for name, graph in graphs.items():
        for side in ("inputs", "outputs"):
            expected, stated = getattr(wanted[name], side), getattr(graph, side)
            if expected != stated:
                return f"graph {name!r} states {side} {describe(stated)}, not {describe(expected)}"
    return None


def describe(shapes: Mapping[str, Shape]) -> str:
    """Names and shapes on one line, for messages."""
    return "; ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in shapes.items())
