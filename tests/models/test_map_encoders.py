"""Scene encoders that are convolutional networks: of `transformers`, and the tower of a detector."""

import json

import numpy as np
import pytest
import torch

from wordsight.errors import ConfigError
from wordsight.models import checkpoint
from wordsight.models.clipter.encoders import load_encoder
from wordsight.models.clipter.scene import SceneEncoder, untrained
from wordsight.models.layers.lcnet import LcNetConfig, stage
from wordsight.models.ppocr import Db, DbConfig

transformers = pytest.importorskip("transformers")


@pytest.fixture
def photos():
    return [np.random.default_rng(k).integers(0, 256, (40, 60, 3), dtype=np.uint8) for k in range(2)]


def resnet(folder):
    torch.manual_seed(0)
    cfg = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    model = transformers.ResNetModel(cfg).eval()
    model.save_pretrained(folder)
    return model


def detector(folder):
    torch.manual_seed(0)
    stages = (stage(8, 8, (1, 1), "1"), stage(8, 8, (2, 2), "0"), stage(8, 8, (2, 2), "0"), stage(8, 12, (2, 2), "0"))
    model = Db(DbConfig(convolutions=LcNetConfig(stem=(3, 4, 8), stages=stages), width=16)).eval()
    checkpoint.save(model, folder)
    return model


def test_cells_of_the_last_map_and_their_mean(tmp_path, photos):
    model = resnet(tmp_path)
    encoder = SceneEncoder(load_encoder(str(tmp_path), 64), kernel=1)
    assert (encoder.width, encoder.encoder.grid, encoder.preprocessing.size) == (16, (8, 8), (64, 64))
    with torch.no_grad():
        cells = model(torch.from_numpy(encoder.prepare(photos))).last_hidden_state.flatten(2).mT
    found = encoder.encode(photos)
    torch.testing.assert_close(found[:, 1:], cells)
    torch.testing.assert_close(found[:, 0], cells.mean(1))
    assert not torch.allclose(found[0], found[1])


def test_of_a_detector_its_last_convolutions(tmp_path, photos):
    model = detector(tmp_path)
    encoder = SceneEncoder(load_encoder(str(tmp_path), 96), kernel=None)
    with torch.no_grad():
        last = model.image_encoder(torch.from_numpy(encoder.prepare(photos)))[-1]
    assert last.shape == (2, 12, 3, 3)
    torch.testing.assert_close(encoder.encode(photos)[:, 0], last.mean((2, 3)))
    assert load_encoder(str(tmp_path)).preprocessing.size == (448, 448)
    with pytest.raises(ConfigError, match="multiple of 32"):
        load_encoder(str(tmp_path), 100)


@pytest.mark.parametrize("make", [resnet, detector])
def test_random_weights_are_others_and_the_same_for_a_seed(tmp_path, photos, make):
    make(tmp_path)
    given = SceneEncoder(load_encoder(str(tmp_path), 64))
    one, again, other = (untrained(given, seed) for seed in (1, 1, 2))
    assert one.identity == again.identity
    assert len({given.identity, one.identity, other.identity}) == 3
    torch.testing.assert_close(one.encode(photos), again.encode(photos))
    assert not torch.allclose(one.encode(photos), given.encode(photos))


@pytest.mark.parametrize("top", [False, True])
def test_pixels_are_normalised_as_efficientnets_own_processor_does(tmp_path, top):
    cfg = transformers.EfficientNetConfig(width_coefficient=0.25, depth_coefficient=0.1, hidden_dim=320, image_size=32)
    transformers.EfficientNetModel(cfg).save_pretrained(tmp_path)
    said = {"size": {"height": 32, "width": 32}, "image_mean": [0.4, 0.5, 0.6], "image_std": [0.5, 0.4, 0.3]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(said | {"include_top": top}))
    photo = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    theirs = transformers.EfficientNetImageProcessorPil(**said, include_top=top)(photo, return_tensors="np")
    ours = SceneEncoder(load_encoder(str(tmp_path))).prepare([photo])
    np.testing.assert_allclose(ours, theirs["pixel_values"], atol=1e-4)


def test_a_model_of_texts_is_refused(tmp_path):
    cfg = transformers.BertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, vocab_size=9
    )
    transformers.BertModel(cfg).save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text("{}")
    with pytest.raises(ConfigError, match="give CLIP, DINOv2, ResNet"):
        load_encoder(str(tmp_path))
