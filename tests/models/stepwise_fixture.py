"""A small CLIP4STR whose weights are drawn by name, and what `benchmarks/stepwise.py` reads with it.

python tests/models/stepwise_fixture.py     writes stepwise.npz beside this file
"""

import importlib.util
import zlib
from pathlib import Path

import numpy as np
import torch

from wordsight.models.clip4str import Clip4Str, Clip4StrConfig
from wordsight.models.config import DecoderConfig, ImageTowerConfig, TextTowerConfig
from wordsight.text import Charset

FILE = Path(__file__).with_name("stepwise.npz")
CASES = [(bias, refine) for bias in (1.0, 4.0) for refine in (0, 1, 2)]
"""What is added to the bias of [E], and refinements."""


def load_stepwise():
    path = Path(__file__).parents[2] / "benchmarks" / "stepwise.py"
    spec = importlib.util.spec_from_file_location("stepwise", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def small_model(bias: float = 0.0, depth: int = 1) -> Clip4Str:
    model = Clip4Str(
        Clip4StrConfig(
            image=ImageTowerConfig(24, 24, patch=(8, 8), width=32, layers=2, heads=2),
            text=TextTowerConfig(49408, context=77, width=16, layers=2, heads=2),
            decoder=DecoderConfig(depth=depth, heads=4, dropout=0.0),
            embed_dim=24,
            charset=Charset.preset("94"),
            max_length=25,
            captions="clip",
            cross_steps="visual",
        )
    )
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            rng = np.random.default_rng(zlib.crc32(name.encode()))
            values = torch.from_numpy(rng.normal(size=tuple(parameter.shape)).astype(np.float32))
            # Far from the small values of initialisation, so that characters depend on the image and on each other.
            scale = (0.6 if "decoder" in name else 0.3) if parameter.ndim > 1 else 0.2
            parameter.copy_(values * scale + (parameter.ndim == 1 and "norm" in name and name.endswith("weight")))
        for decoder in (model.visual_decoder, model.cross_decoder):
            decoder.layers[0].cross_attention.v.weight *= 2
            decoder.head.weight[0] *= 2
            decoder.head.bias[0] += bias
    return model.eval()


def images(count: int = 8) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, 3, 24, 24)).astype(np.float32) * 2


def until_end(logits: np.ndarray) -> np.ndarray:
    ids = logits.argmax(-1).tolist()
    return logits[: ids.index(0) + 1] if 0 in ids else logits


def reference(model: Clip4Str, refine_iters: int) -> list[np.ndarray]:
    """Final logits of every image, alone in its batch."""
    stepwise = load_stepwise().Stepwise(model).eval()
    runs = [stepwise(torch.from_numpy(image[None]), refine_iters).final[0].numpy() for image in images()]
    return [until_end(logits) for logits in runs]


if __name__ == "__main__":
    arrays = {}
    for bias, refine_iters in CASES:
        for i, logits in enumerate(reference(small_model(bias), refine_iters)):
            arrays[f"{bias}/{refine_iters}/{i}"] = logits
            print(bias, refine_iters, i, len(logits))
    np.savez_compressed(FILE, **arrays)
    print(FILE.stat().st_size)
