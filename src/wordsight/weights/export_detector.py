"""Writing a trained detector as a pack: graphs for pictures of any size."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn
from torch.export import Dim

from wordsight.detect.packs import GLANCE, GRAPH, DetectorPack, find_detector, write_detector
from wordsight.models.ppocr import Db
from wordsight.models.ppocr.detector import STRIDE
from wordsight.weights.export import traced
from wordsight.weights.storage import shrink

_SETTINGS = ("threshold", "min_score", "unclip", "suspicion")


def export_detector(model: Db, out: str | Path, *, name: str, about: Mapping[str, Any] | None = None) -> DetectorPack:
    """Writes `model` as a pack into the folder `out`, and reads it back.

    Args:
        model: on the CPU. It is not changed.
        out: the folder, made if need be.
        name: what the pack calls itself.
        about: training data, scores, licence and the like. Where it has `threshold`, `min_score`, `unclip` or
            `suspicion`, these become the pack's.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    was_training = model.training
    try:
        _write(model.eval(), out / GRAPH)
        if model.glance is not None:
            _write(nn.Sequential(model.glance, nn.Sigmoid()), out / GLANCE)
    finally:
        model.train(was_training)
    about = dict(about or {})
    glance = out / GLANCE if model.glance is not None else None
    pack = DetectorPack(name, out / GRAPH, model.cfg.mean, model.cfg.std, glance, about=about)
    settings: dict[str, Any] = {key: float(about[key]) for key in _SETTINGS if key in about}
    write_detector(replace(pack, **settings))
    return find_detector(out)


def _write(model: nn.Module, file: Path) -> None:
    sizes = {0: Dim("batch", min=1), 2: STRIDE * Dim("rows", min=1), 3: STRIDE * Dim("columns", min=1)}
    examples = (torch.zeros(2, 3, 3 * STRIDE, 5 * STRIDE),)
    proto = traced(model, examples, (sizes,), ["images"], ["probability"])
    shrink(proto, "float16")
    onnx.save(proto, file)
    onnx.checker.check_model(str(file))
