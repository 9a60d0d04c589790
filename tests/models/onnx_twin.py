"""A module beside what ONNX Runtime makes of its export."""

import logging
import warnings
from collections.abc import Callable

import numpy as np
import onnxruntime
import torch
from torch import Tensor
from torch.export import Dim

from wordsight.models.recognizer import GraphModule

SCENES = 2
SCENE_DIM = 24


def scenes(crops: int, generator: torch.Generator) -> tuple[Tensor, ...]:
    """Tokens of two scenes, index, presence (the last crop has none) and boxes."""
    present = torch.ones(crops)
    present[-1] = 0
    tokens = torch.randn(SCENES, 5, SCENE_DIM, generator=generator)
    index = torch.arange(crops) % SCENES
    return tokens, index, present, torch.rand(crops, 4, generator=generator)


def differences(module: GraphModule, make: Callable[[int], tuple[Tensor, ...]], *, told: bool) -> list[float]:
    """The largest difference of any output, for 1, 2 and 5 crops; `make` gives inputs, `told` adds scenes to them."""

    def inputs(crops: int) -> tuple[Tensor, ...]:
        return make(crops) + (scenes(crops, torch.Generator().manual_seed(crops)) if told else ())

    crops = Dim("crops", min=1)
    example = inputs(3)
    dynamic: list[dict[int, Dim]] = [{0: crops}] * len(example)
    assert module.takes_scenes == told
    if told:
        dynamic[-4] = {0: Dim("scenes", min=1)}
    shapes = (tuple(dynamic),)  # all its inputs are one
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module.eval(), example, dynamo=True, dynamic_shapes=shapes, opset_version=20, verbose=False
        )
    assert program is not None
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [node.name for node in session.get_inputs()]
    found = []
    for count in (1, 2, 5):
        given = inputs(count)
        with torch.no_grad():
            wanted = module(*given)
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        feeds = {name: x.numpy() for name, x in zip(names, given, strict=True)}
        for want, got in zip(wanted, session.run(None, feeds), strict=True):
            assert want.shape == got.shape
            found.append(float(np.abs(want.numpy() - got).max()))
    return found
