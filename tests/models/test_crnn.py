from dataclasses import replace

import pytest
import torch
from onnx_twin import SCENE_DIM, differences

from wordsight.errors import ConfigError
from wordsight.models.clipter import ClipterConfig, insert
from wordsight.models.crnn import CRNN_PRESETS, Crnn, CrnnConfig
from wordsight.models.losses import ctc_loss
from wordsight.text import Charset

SMALL = CrnnConfig(
    charset=Charset("letters", "abcdefgh"), max_length=6, width_px=64, stem=((8, 4, 4), (16, 8, 1)), hidden=12
)


def size(model):
    return sum(p.numel() for p in model.parameters())


def test_size_of_the_paper():
    # Section 3.4: 8.3 M parameters, with a grey input and 37 classes
    model = Crnn(replace(CRNN_PRESETS["crnn"], charset=Charset.preset("36")))
    assert size(model) - 2 * 9 * 64 == pytest.approx(8.3e6, rel=0.005)


def test_columns_of_the_paper():
    # A column for every four pixels (section 3.2), one less by the last convolution
    model = Crnn(replace(CRNN_PRESETS["crnn"], charset=SMALL.charset)).eval()
    with torch.no_grad():
        assert model.encode(torch.zeros(1, 3, 32, 128)).shape == (1, 31, 512)
    assert model.cfg.grid == (1, 31)


def test_the_compact_one_has_no_batch_norm():
    # Training batches hold words of like length; see `vgg`
    norms = [sum(isinstance(m, torch.nn.BatchNorm2d) for m in Crnn(cfg).modules()) for cfg in CRNN_PRESETS.values()]
    assert dict(zip(CRNN_PRESETS, norms, strict=True)) == {"crnn": 2, "crnn-ppocr": 0, "crnn-compact": 0}


@pytest.mark.parametrize("change", [{"height": 64}, {"max_length": 17}])
def test_input_that_does_not_fit_is_refused(change):
    with pytest.raises(ConfigError, match=r"must make one|cannot spell"):
        replace(SMALL, **change)


def test_ctc_of_hand_made_columns():
    # Two columns, [E] and a and b equally likely: of nine paths aa, a- and -a spell "a"; ab alone spells "ab"
    logits = torch.zeros(3, 2, 3)
    targets = torch.tensor([[3, 1, 0, 4], [3, 1, 2, 0], [3, 1, 1, 0]])  # the third one needs a column more
    words = [ctc_loss(logits[i : i + 1], targets[i : i + 1], pad=4) for i in range(3)]
    nine = torch.log(torch.tensor(9.0))
    torch.testing.assert_close(
        torch.stack(words), torch.stack([nine - torch.log(torch.tensor(3.0)), nine / 2, 0 * nine])
    )
    torch.testing.assert_close(ctc_loss(logits, targets, pad=4), sum(words) / 3)


def test_everything_learns_also_beside_an_empty_word():
    torch.manual_seed(0)
    model = Crnn(SMALL)
    targets = torch.from_numpy(model.tokenizer.encode(["abca", "", "hhh"]))
    model.loss(torch.randn(3, 3, 32, 64), targets, torch.Generator()).total.backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.slow
def test_graph_as_onnx():
    torch.manual_seed(0)
    model = Crnn(SMALL)
    insert(model, ClipterConfig(place="late", kernel=2, scene_dim=SCENE_DIM, fusion="mh-ca-mini", box=True))
    torch.nn.init.constant_(model.fusions["late"].gate.alpha, 0.5)
    generator = torch.Generator().manual_seed(0)

    def images(crops):
        return (torch.randn(crops, 3, 32, 64, generator=generator),)

    assert max(differences(model.graphs()["image"], images, told=True)) < 1e-5
