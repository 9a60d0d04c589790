"""The parts of every recognizer that decoding asks for, as modules: to be run as they are, or exported to ONNX."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from wordsight.models.baselines import AbinetCorrect, AbinetImage, LogitsGraph, TrbaImage, TrbaStep
from wordsight.models.clip4str.graphs import DecoderGraph, ImageGraph, TextGraph
from wordsight.models.clipter.context import SceneContext


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
        return {"image": Part(TrbaImage(model), early), "step": Part(TrbaStep(model), late)}
    if model.decoding == "iterative":
        return {"image": Part(AbinetImage(model), early), "correct": Part(AbinetCorrect(model), late)}
    return {"image": Part(LogitsGraph(model), early or late)}


def _psm(model: Any, cross: bool, early: bool) -> dict[str, Part]:
    image = ImageGraph(model, cross)
    out = {"image": Part(_InContext(image, 1), True) if early else Part(image), "visual": _decoder(model, "visual", 3)}
    if cross:
        out |= {"text": Part(TextGraph(model)), "cross": _decoder(model, "cross", 4)}
    return out


def _decoder(model: Any, name: str, inputs: int) -> Part:
    fusion = getattr(model.fusions, f"late_{name}", None)
    graph = DecoderGraph(getattr(model, f"{name}_decoder"), fusion)
    return Part(graph) if fusion is None else Part(_InContext(graph, inputs), True)


class _InContext(nn.Module):
    """A module that takes a `SceneContext`, given its tensors after the first `inputs` inputs."""

    def __init__(self, module: nn.Module, inputs: int) -> None:
        super().__init__()
        self.module = module
        self.inputs = inputs

    def forward(self, *given: Tensor) -> Any:
        """What the module makes of it."""
        plain, scene = given[: self.inputs], given[self.inputs :]
        return self.module(*plain, context=SceneContext(*scene) if scene else None)
