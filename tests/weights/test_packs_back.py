"""Packs back in PyTorch: what was exported is what training gets."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont

from wordsight.errors import ModelError
from wordsight.imaging import prepare
from wordsight.models.reading import TorchRecognizer
from wordsight.models.registry import preset
from wordsight.runtime import OnnxRecognizer, find_model, load_pack
from wordsight.text import Charset
from wordsight.weights.choices import Options
from wordsight.weights.convert import convert
from wordsight.weights.export import export_graphs, export_pack
from wordsight.weights.packs import model_from_pack

sys.path.append(str(Path(__file__).parents[1] / "train"))  # toy_words


def assert_same(found, expected):
    assert found.cfg == expected.cfg
    expected = expected.state_dict()
    assert found.state_dict().keys() == expected.keys()
    for name, tensor in found.state_dict().items():
        torch.testing.assert_close(tensor, expected[name], rtol=0, atol=0, msg=name)


@pytest.fixture(scope="module")
def toy():
    """A recognizer without equal tensors, which the exporter would store once: training leaves none."""
    from toy_words import toy_model

    model = toy_model().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return model


@pytest.fixture(scope="module")
def graphs(toy):
    return export_graphs(toy)


@pytest.fixture(scope="module")
def pack(toy, graphs, tmp_path_factory):
    return export_pack(toy, tmp_path_factory.mktemp("packs") / "toy", graphs=graphs, name="toy", weights="float32")


def test_what_was_exported_comes_back(toy, pack):
    assert_same(model_from_pack(pack), toy)


def test_weights_of_eight_bits_come_back_as_they_are_read(toy, graphs, tmp_path):
    back = model_from_pack(export_pack(toy, tmp_path / "pack", graphs=graphs, name="toy", weights="int8")).state_dict()
    for name, tensor in toy.state_dict().items():
        torch.testing.assert_close(back[name], tensor, rtol=0, atol=float(tensor.abs().max()) / 127)


def test_a_shipped_recognizer_with_both_branches_comes_back():
    pack = load_pack(find_model("small"))
    model = model_from_pack(pack)
    crop = Image.new("RGB", (150, 40), "white")
    ImageDraw.Draw(crop).text((10, 2), "STATION", "black", ImageFont.load_default(32))
    images = prepare([np.asarray(crop)], pack.preprocessing)
    (ours,) = TorchRecognizer(model, "full").read(images)
    (theirs,) = OnnxRecognizer(pack, threads=1, mode="full").read(images)
    assert ours.text == theirs.text == "STATION"
    for here, there in zip(ours.chars, theirs.chars, strict=True):
        assert there.probability == pytest.approx(here.probability ** (1 / pack.temperature), abs=0.02)


@pytest.mark.slow
def test_a_shipped_pack_goes_out_as_it_came(tmp_path):
    """It is the only copy of its weights."""
    model = model_from_pack(load_pack(find_model("small")))
    assert_same(model_from_pack(export_pack(model, tmp_path / "small", name="small")), model)


def test_a_shipped_recognizer_of_any_width_comes_back():
    pack = load_pack(find_model("latin"))
    model = model_from_pack(pack)
    assert model.cfg.preprocessing == pack.preprocessing
    images = torch.rand(1, 3, 48, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        here = model.decode(model.encode(images)).softmax(-1).argmax(-1)[0].tolist()
    (reading,) = OnnxRecognizer(pack, threads=1).read(images.numpy())
    path = [c for c, before in zip(here, [-1, *here], strict=False) if c and c != before]
    assert "".join(pack.charset.characters[c - 1] for c in path).split() == reading.text.split()


def test_other_characters_may_be_asked_for(pack):
    back = convert(pack.folder, Options(charset=Charset("more", "fedcba€"))).model
    assert back.cfg.charset.characters == "fedcba€"
    given = model_from_pack(pack)
    torch.testing.assert_close(back.visual_decoder.head.weight[1], given.visual_decoder.head.weight[6])


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"config": {}}, "does not state the sizes"),
        ({"config": {"image": {"height": "high"}}}, "make no network"),
        ({"config": {}, "architecture": "crnn"}, "does not state the sizes"),
    ],
)
def test_sizes_that_are_not_stated_are_asked_for(pack, changed, complaint):
    with pytest.raises(ModelError, match=complaint):
        model_from_pack(replace(pack, **changed))


@pytest.mark.slow
def test_a_pack_without_its_cross_modal_branch_is_no_start(toy, tmp_path):
    with pytest.raises(ModelError, match="lacks weights that training needs"):
        model_from_pack(export_pack(toy, tmp_path / "pack", name="toy", cross=False))


@pytest.mark.slow
def test_recognizers_with_recurrent_layers_are_said_to_be_none(tmp_path):
    recognizer, cfg = preset("crnn")
    pack = export_pack(recognizer(cfg), tmp_path / "pack", name="crnn")
    with pytest.raises(ModelError, match="give the checkpoint"):
        model_from_pack(pack)
