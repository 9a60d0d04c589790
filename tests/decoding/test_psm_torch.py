"""Decoding equals `generate`, of CLIP4STR with a convolutional stem, text tower and both decoders, and of PARSeq."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from wordsight.decoding import PsmGraphs, decode_psm
from wordsight.models.clip4str import CLIP4STR_PRESETS, Clip4Str
from wordsight.models.config import ImageTowerConfig, TextTowerConfig
from wordsight.models.parseq import Parseq
from wordsight.models.reading import TorchEngine


@pytest.fixture(scope="module", params=[1, 2], ids=["one layer", "two layers"])
def model(request):
    tiny = CLIP4STR_PRESETS["clip4str-tiny"]
    image = ImageTowerConfig(16, 32, stem=((16, 4, 4), (32, 2, 1)), class_token=False, width=32, layers=1, heads=2)
    text = TextTowerConfig(tiny.text.vocab_size, context=22, width=32, layers=1, heads=2)
    decoder = replace(tiny.decoder, heads=2, depth=request.param)
    torch.manual_seed(4 if request.param == 1 else 5)
    model = Clip4Str(replace(tiny, image=image, text=text, decoder=decoder, embed_dim=32, max_length=20)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # Far from the small values of initialisation, so that characters depend on each other.
            if "decoder" in name or "text" in name:
                parameter.copy_(torch.randn_like(parameter) * (0.5 if parameter.ndim > 1 else 0.2))
        for branch in (model.visual_decoder, model.cross_decoder):
            for name, parameter in branch.layers[0].cross_attention.named_parameters():
                parameter *= 3 if name.startswith(("q", "k")) else 2  # words differ between images
            branch.head.weight[0] *= 3  # words of all lengths
            branch.head.bias[0] = 1 if request.param == 1 else 4
        model.visual_decoder.head.bias[0] = 2.5 if request.param == 1 else 4
    return model


@pytest.mark.parametrize("cross", [True, False])
def test_equals_greedy_step_by_step(model, cross):
    images = np.random.default_rng(0).normal(size=(64, 3, 16, 32), scale=2).astype(np.float32)
    graphs = PsmGraphs(TorchEngine(model, cross=cross))
    stepwise = (model.generate if cross else partial(Parseq.generate, model))(torch.from_numpy(images))
    expected = [logits.numpy() for logits in stepwise]
    lengths = {len(x) for x in expected}
    assert {1, 21} <= lengths
    assert len(lengths) >= 5
    for batch in (1, 2, 7, 64):
        count = min(len(images), 4 * batch)
        for start in range(0, count, batch):
            found = decode_psm(graphs, images[start : start + batch], model.cfg.spec).logits
            for want, got in zip(expected[start : start + batch], found, strict=True):
                assert want.argmax(1).tolist() == got.argmax(1).tolist()
                np.testing.assert_allclose(got, want, atol=1e-4)
