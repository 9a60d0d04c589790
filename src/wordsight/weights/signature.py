"""What the graphs of a torch model will be called and how large they are."""

from typing import Any

import torch

from wordsight.models.clipter.scene import SceneEncoder
from wordsight.models.parts import parts
from wordsight.runtime.signatures import (
    FRAMES,
    Graph,
    column_graphs,
    iterative_graphs,
    psm_graphs,
    recurrent_graphs,
    scene_graph,
    with_scenes,
    with_words,
)


def signature(model: Any, cross: bool = True, scenes: SceneEncoder | None = None) -> dict[str, Graph]:
    """The graphs of a pack of `model`, which is in eval mode.

    Args:
        model: A recognizer of the registry.
        cross: Whether a cross-modal branch, where there is one, is in the pack.
        scenes: The encoder of a model that takes scenes.
    """
    graphs = _graphs(model, cross)
    if scenes is None:
        return graphs
    size = scenes.preprocessing
    tokens = scenes(torch.zeros(1, 3, *size.size)).shape[1]
    where = [name for name, part in parts(model, cross).items() if part.told]
    return with_scenes(graphs, where, scene_graph(size, tokens, scenes.width), box=model.clipter.box)


def _graphs(model: Any, cross: bool) -> dict[str, Graph]:
    cfg = model.cfg
    size, classes = cfg.preprocessing, cfg.tokenizer.num_classes
    if model.decoding == "psm":
        sizes = cfg.decoder.depth, cfg.memory_tokens, cfg.visual_dim
        columns = None if model.ctc_head is None else cfg.image.grid[1]
        if model.cross_decoder is None or not cross:
            return psm_graphs(size, classes, *sizes, cross=False, columns=columns)
        text = 1 if cfg.pooled else None
        return psm_graphs(size, classes, *sizes, cross=True, cross_width=cfg.embed_dim, text=text, columns=columns)
    if size.width is None:
        graphs = column_graphs(size, classes, FRAMES)
        if (second := model.word_decoder) is None:
            return graphs
        return with_words(graphs, classes, second.project.in_features, second.cfg.depth, second.cfg.width)
    with torch.inference_mode():
        out = parts(model)["image"].module(torch.zeros(1, 3, size.height, size.width))
    if model.decoding == "recurrent":
        memory, state = out
        return recurrent_graphs(size, classes, memory.shape[1:], state.shape[1:])
    if model.decoding == "iterative":
        logits, features = out
        return iterative_graphs(size, classes, logits.shape[1], features.shape[1:])
    return column_graphs(size, classes, out.shape[1])
