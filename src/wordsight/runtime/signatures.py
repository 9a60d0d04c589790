"""What graphs a pack has: their files, names and shapes, for each decoding kind, and which of them take scenes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from wordsight.imaging import Preprocessing

Shape = tuple[int | str, ...]
"""Sizes of a tensor; those that may vary have a name."""


@dataclass(frozen=True)
class Graph:
    """One ONNX file, and the names and shapes of what goes in and comes out, in order."""

    file: str
    inputs: Mapping[str, Shape]
    outputs: Mapping[str, Shape]

    @property
    def told(self) -> tuple[str, ...]:
        """Names of the inputs for scenes; none if this graph takes no scenes."""
        return tuple(name for name in self.inputs if name in _SCENE_INPUTS)


SCENE = "scene"
"""The graph that makes tokens of scenes."""

_SCENE_INPUTS = ("scene", "scene_index", "has_scene", "scene_box")


def psm_graphs(
    preprocessing: Preprocessing,
    classes: int,
    depth: int,
    memory: int,
    width: int,
    *,
    cross: bool,
    cross_width: int | None = None,
    text: int | None = None,
    columns: int | None = None,
) -> dict[str, Graph]:
    """The graphs of a `psm` pack.

    Args:
        preprocessing: says the input size.
        classes: [E] and the characters.
        depth: layers of a decoder.
        memory: image tokens.
        width: of the visual decoder and its memory.
        cross: whether there is a cross-modal branch.
        cross_width: of the cross-modal decoder and its memory, if not the same.
        text: tokens of a caption in that memory, if not as many as the text tower is given.
        columns: of the image that say a character each, where they do.
    """
    kv: Shape = ("batch", depth, 2, memory, width)
    query: dict[str, Shape] = {"tokens": ("batch", "length"), "kv": kv, "mask": ("batch", "length", "length")}
    logits: dict[str, Shape] = {"logits": ("batch", "length", classes)}
    visual = Graph("visual.onnx", query, logits)
    draft: dict[str, Shape] = {"columns": ("batch", columns)} if columns else {}
    if not cross:
        return {"image": Graph("image.onnx", _crops(preprocessing), {"kv_visual": kv, **draft}), "visual": visual}
    wide = cross_width or width
    kv_image: Shape = ("batch", depth, 2, memory, wide)
    kv_text: Shape = ("batch", depth, 2, text or "text", wide)
    both = query | {"kv": ("batch", depth, 2, "memory", wide), "memory_mask": ("batch", "memory")}
    return {
        "image": Graph("image.onnx", _crops(preprocessing), {"kv_visual": kv, "kv_cross_image": kv_image, **draft}),
        "visual": visual,
        "text": Graph("text.onnx", {"tokens": ("batch", "text")}, {"kv_cross_text": kv_text}),
        "cross": Graph("cross.onnx", both, logits),
    }


def column_graphs(preprocessing: Preprocessing, classes: int, columns: int | str) -> dict[str, Graph]:
    """The graph of a `ctc` pack, which has so many frames, or of a `parallel` one: so many positions."""
    return {"image": Graph("image.onnx", _crops(preprocessing), {"logits": ("batch", columns, classes)})}


def with_words(graphs: Mapping[str, Graph], classes: int, channels: int, depth: int, width: int) -> dict[str, Graph]:
    """The graphs of a `ctc` pack of any width that has a decoder of words: `image` gives `columns`, too.

    Args:
        graphs: Those of `column_graphs`.
        classes: [E] and the characters.
        channels: of a column.
        depth: layers of the decoder.
        width: of the decoder.
    """
    columns: Shape = ("batch", "columns", channels)
    kv: Shape = ("batch", depth, 2, "columns", width)
    query: dict[str, Shape] = {"tokens": ("batch", "length"), "kv": kv, "mask": ("batch", "length", "length")}
    image = graphs["image"]
    return {
        "image": replace(image, outputs={**image.outputs, "columns": columns}),
        "memory": Graph("memory.onnx", {"columns": columns}, {"kv": kv}),
        "visual": Graph("visual.onnx", query, {"logits": ("batch", "length", classes)}),
    }


def recurrent_graphs(
    preprocessing: Preprocessing, classes: int, memory: Iterable[int | str], state: Iterable[int | str]
) -> dict[str, Graph]:
    """The graphs of a `recurrent` pack: what is read and the first state, then a letter a step.

    `memory` and `state` are their sizes for one crop. `tokens` (B,) are the letters before.
    """
    state, memory = ("batch", *state), ("batch", *memory)
    step: dict[str, Shape] = {"tokens": ("batch",), "state": state, "memory": memory}
    return {
        "image": Graph("image.onnx", _crops(preprocessing), {"memory": memory, "state": state}),
        "step": Graph("step.onnx", step, {"logits": ("batch", classes), "next_state": state}),
    }


def iterative_graphs(
    preprocessing: Preprocessing, classes: int, positions: int, features: Iterable[int | str]
) -> dict[str, Graph]:
    """The graphs of an `iterative` pack: what is seen, then a correction of what was read, told it and the features.

    `features` are their sizes for one crop.
    """
    logits: Shape = ("batch", positions, classes)
    seen: dict[str, Shape] = {"logits": logits, "features": ("batch", *features)}
    return {
        "image": Graph("image.onnx", _crops(preprocessing), seen),
        "correct": Graph("correct.onnx", seen, {"corrected": logits}),
    }


FRAMES = "frames"
"""How many frames the input makes where it may have any width."""


def _crops(preprocessing: Preprocessing) -> dict[str, Shape]:
    return {"image": ("batch", 3, preprocessing.height, preprocessing.width or "width")}


def scene_graph(preprocessing: Preprocessing, tokens: int, width: int) -> Graph:
    """The graph `scene`: pictures of N scenes to their tokens (N, tokens, width), pooling included."""
    pictures: Shape = ("scenes", 3, preprocessing.height, preprocessing.width or "width")
    return Graph("scene.onnx", {"image": pictures}, {"tokens": ("scenes", tokens, width)})


def with_scenes(graphs: Mapping[str, Graph], where: Iterable[str], scene: Graph, *, box: bool) -> dict[str, Graph]:
    """The graphs, those named in `where` with inputs for scenes, and the graph `scene` itself.

    `scene` (N, M, D_s) holds the tokens of N scenes, `scene_index` (B,) which of them belongs to a crop, `has_scene`
    (B,) 1 or, for the null scene, 0, which multiplies the gate; `scene_box` (B, 4), where the fusion is told that, the
    place of the crop in its scene: centre x, y, width, height as shares of the scene's sides.
    """
    shapes: tuple[Shape, ...] = (scene.outputs["tokens"], ("batch",), ("batch",), ("batch", 4))
    inputs = dict(zip(_SCENE_INPUTS if box else _SCENE_INPUTS[:3], shapes, strict=False))
    told = {name: replace(graphs[name], inputs={**graphs[name].inputs, **inputs}) for name in where}
    return {**graphs, **told, SCENE: scene}


def mismatch(
    graphs: Mapping[str, Graph],
    decoding: str,
    preprocessing: Preprocessing,
    classes: int,
    positions: int,
    scene: Preprocessing | None,
) -> str | None:
    """What is wrong with the graphs that a pack states, in one line; None if they are what decoding needs.

    Args:
        graphs: As stated.
        decoding: The pack's kind. Graphs must be those of one of the functions above, for some sizes.
        preprocessing: Of crops.
        classes: [E] and the characters.
        positions: Characters of the longest word, and [E].
        scene: Preprocessing of scenes, where the pack takes them.
    """
    plain = {name: _untold(graph) for name, graph in graphs.items() if name != SCENE}
    try:
        wanted = _wanted(plain, decoding, preprocessing, classes, positions)
    except (KeyError, ValueError):
        return f"its image graph states no {_MADE[decoding]}"
    if scene:
        tokens = graphs[SCENE].outputs.get("tokens", ()) if SCENE in graphs else ()
        if len(tokens) != 3 or not all(isinstance(size, int) for size in tokens[1:]):
            return "it has no graph 'scene' that states tokens of shape (scenes, tokens, width)"
        where = [name for name in wanted if name in graphs and graphs[name].told]
        if not where:
            return "it has a graph 'scene', but no graph that takes scenes"
        box = any("scene_box" in graphs[name].told for name in where)
        wanted = with_scenes(wanted, where, scene_graph(scene, int(tokens[1]), int(tokens[2])), box=box)
    return _difference(graphs, wanted)


def _untold(graph: Graph) -> Graph:
    return replace(graph, inputs={name: shape for name, shape in graph.inputs.items() if name not in graph.told})


_MADE = {
    "psm": "K/V of shape (batch, depth, 2, tokens, width)",
    "ctc": "logits of shape (batch, columns, classes), or columns that a graph 'memory' takes",
    "parallel": "logits of shape (batch, columns, classes)",
    "recurrent": "memory and state",
    "iterative": "features",
}


def _wanted(
    plain: Mapping[str, Graph], decoding: str, preprocessing: Preprocessing, classes: int, positions: int
) -> dict[str, Graph]:
    """The graphs of this kind in the sizes of the stated ones, which must have them."""
    made = plain["image"].outputs
    if decoding == "psm":
        _, depth, _, memory, width = made["kv_visual"]
        captions = plain["text"].outputs["kv_cross_text"] if "text" in plain else (None, width)
        *_, text, cross_width = captions
        return psm_graphs(
            preprocessing,
            classes,
            int(depth),
            int(memory),
            int(width),
            cross="cross" in plain,
            cross_width=cross_width if isinstance(cross_width, int) else None,
            text=text if isinstance(text, int) else None,
            columns=int(made["columns"][1]) if "columns" in made else None,
        )
    if decoding == "recurrent":
        return recurrent_graphs(preprocessing, classes, made["memory"][1:], made["state"][1:])
    if decoding == "iterative":
        return iterative_graphs(preprocessing, classes, positions, made["features"][1:])
    _, columns, _ = made["logits"]
    if decoding == "parallel":
        return column_graphs(preprocessing, classes, positions)
    if preprocessing.width is not None:
        return column_graphs(preprocessing, classes, int(columns))
    graphs = column_graphs(preprocessing, classes, FRAMES)
    if "columns" not in made:
        return graphs
    _, depth, _, _, width = plain["memory"].outputs["kv"]
    return with_words(graphs, classes, int(made["columns"][2]), int(depth), int(width))


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
