"""The parts of every recognizer that decoding asks for, as modules: to be run as they are, or exported to ONNX."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from wordsight.models.baselines import AbinetCorrect, AbinetImage, LogitsGraph, TrbaImage, TrbaStep
from wordsight.models.clip4str.graphs import DecoderGraph, ImageGraph, TextGraph
from wordsight.models.clipter.context import SceneContext
from wordsight.models.ppocr.model import MemoryGraph, SeenGraph


@dataclass(frozen=True)
class Part:
    """A module that takes the inputs of its graph and then, if it is `told`, the tensors of a `SceneContext`."""

    module: nn.Module
    told: bool = False


def parts(model: Any, cross: bool = True) -> dict[str, Part]:
    """The parts of a recognizer by the names of their graphs; its `decoding` says how they work together.

    `cross` false leaves the cross-modal branch out where there is one.
    """
    place = model.clipter.place if model.clipter is not None else None
    early, late = place == "early", place == "late"
    if model.decoding == "psm":
        return _psm(model, cross and model.cross_decoder is not None, early)
    if model.decoding == "recurrent":
        return {"image": _part(TrbaImage(model), 1, early), "step": _part(TrbaStep(model), 3, late)}
    if model.decoding == "iterative":
        return {"image": _part(AbinetImage(model), 1, early), "correct": _part(AbinetCorrect(model), 2, late)}
    second = getattr(model, "word_decoder", None)
    if second is not None:
        image = _part(SeenGraph(model), 1, early or late)
        return {"image": image, "memory": Part(MemoryGraph(second)), "visual": Part(DecoderGraph(second.decoder))}
    return {"image": _part(LogitsGraph(model), 1, early or late)}


def _psm(model: Any, cross: bool, early: bool) -> dict[str, Part]:
    out = {"image": _part(ImageGraph(model, cross), 1, early), "visual": _decoder(model, "visual", 3)}
    if cross:
        out |= {"text": Part(TextGraph(model)), "cross": _decoder(model, "cross", 4)}
    return out


def _decoder(model: Any, name: str, inputs: int) -> Part:
    fusion = getattr(model.fusions, f"late_{name}", None)
    return _part(DecoderGraph(getattr(model, f"{name}_decoder"), fusion), inputs, fusion is not None)


def _part(module: nn.Module, inputs: int, told: bool) -> Part:
    return Part(InContext(module, inputs), True) if told else Part(module)


class InContext(nn.Module):
    """A module that takes a `SceneContext`, given its tensors after the first `inputs` inputs."""

    def __init__(self, module: nn.Module, inputs: int) -> None:
        super().__init__()
        self.module = module
        self.inputs = inputs

    def forward(self, *given: Tensor) -> Any:
        """The module's output for it."""
        plain, scene = given[: self.inputs], given[self.inputs :]
        return self.module(*plain, context=SceneContext(*scene) if scene else None)
