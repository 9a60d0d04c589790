"""What the graphs of a torch model will be called and how large they are."""

import numpy as np
import torch

from wordsight.decoding import Graph
from wordsight.imaging.preprocess import WIDTH_STEP
from wordsight.models.clipter.scene import SceneEncoder
from wordsight.models.reading import TorchEngine
from wordsight.models.recognizer import Recognizer
from wordsight.runtime.signatures import input_shape, scene_graph, with_scenes


def signature(model: Recognizer, cross: bool = True, scenes: SceneEncoder | None = None) -> dict[str, Graph]:
    """The graphs of a pack of `model`, which is in eval mode.

    Args:
        model: A recognizer of the registry.
        cross: Whether a cross-modal branch, where there is one, is in the pack.
        scenes: The encoder of a model that takes scenes.
    """
    size, cfg = model.cfg.preprocessing, model.cfg
    images = np.zeros((1, 3, size.height, size.width or 4 * WIDTH_STEP), np.float32)
    made = model.kind.measure(TorchEngine(model, cross), images)
    graphs = model.kind.signature(input_shape(size), cfg.tokenizer.num_classes, cfg.max_length + 1, made)
    if scenes is None:
        return graphs
    tokens = scenes(torch.zeros(1, 3, *scenes.preprocessing.size)).shape[1]
    where = [name for name, graph in model.graphs(cross).items() if graph.takes_scenes]
    assert model.clipter is not None  # noqa: S101  (for the type checker)
    return with_scenes(graphs, where, scene_graph(scenes.preprocessing, tokens, scenes.width), box=model.clipter.box)
