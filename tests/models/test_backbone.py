from dataclasses import replace

import pytest
import torch

from wordsight.errors import ConfigError
from wordsight.models import checkpoint
from wordsight.models.config import ImageTowerConfig
from wordsight.models.ppocr import SVTR_PRESETS, Svtr
from wordsight.models.registry import preset
from wordsight.runtime import OnnxRecognizer
from wordsight.train.start import starting_model
from wordsight.weights.export import export_pack

NAMES = ("clip4str-ppocr", "parseq-ppocr", "crnn-ppocr")


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(5)
    return Svtr(SVTR_PRESETS["svtr"]).eval()


def convolutions(model):
    return (model.image_encoder if hasattr(model, "image_encoder") else model.image_tower.stem).net


@pytest.mark.parametrize("name", NAMES)
def test_recognizers_stand_on_the_convolutions_of_another(name, trained, tmp_path):
    checkpoint.save(trained, tmp_path / "svtr")
    model = starting_model(name, tmp_path / "svtr")
    state = convolutions(model).state_dict()
    assert all((state[key] == value).all() for key, value in trained.image_encoder.state_dict().items())
    images = torch.rand(2, 3, 48, 192) * 2 - 1
    with torch.no_grad():
        assert torch.equal(convolutions(model)(images)[-1], trained.see(images))
    targets = torch.from_numpy(model.tokenizer.encode(["ab", "Lille"]))
    model.loss(images, targets, torch.Generator().manual_seed(0)).total.backward()
    assert convolutions(model).stem.stem1.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("name", NAMES)
def test_they_are_saved_and_exported(name, tmp_path):
    recognizer, cfg = preset(name)
    assert cfg.preprocessing.size == (48, 192)
    if hasattr(cfg, "image"):
        cfg = replace(cfg, image=replace(cfg.image, width_px=64))
    else:
        cfg = replace(cfg, width_px=64, max_length=8)  # the exporter takes LSTMs frame by frame
    if hasattr(cfg, "text"):
        cfg = replace(cfg, text=replace(cfg.text, layers=1))
    model = recognizer(cfg).eval()
    checkpoint.save(model, tmp_path / "model")
    again, _ = checkpoint.load(tmp_path / "model")
    assert again.cfg == cfg
    pack = export_pack(again, tmp_path / "pack", name=name, weights="float32")
    assert pack.preprocessing.size == (48, 64)
    assert len(OnnxRecognizer(pack, "cpu", 1).read(torch.rand(2, 3, 48, 64).numpy())) == 2


def test_others_do_not_start_from_them(trained, tmp_path):
    checkpoint.save(trained, tmp_path / "svtr")
    with pytest.raises(ConfigError, match="holds a svtr, parseq-tiny is a parseq"):
        starting_model("parseq-tiny", tmp_path / "svtr")


def test_there_is_one_backbone_and_it_needs_no_stem():
    with pytest.raises(ConfigError, match="backbone"):
        ImageTowerConfig(backbone="resnet")
    with pytest.raises(ConfigError, match="backbone"):
        ImageTowerConfig(backbone="pp-lcnet-v4", stem=((8, 2, 2),))
