"""Scene encoders of `transformers`: the last norm, the preprocessor's file, names that are no hub's."""

import json

import numpy as np
import pytest
import torch

from wordsight.errors import ConfigError, ModelError
from wordsight.models.clip.config import MEAN
from wordsight.models.clipter import ClipterConfig
from wordsight.models.clipter.encoders import load_encoder, may_be_on_the_hub
from wordsight.models.clipter.scene import SceneEncoder, untrained
from wordsight.train import Recognition
from wordsight.weights.convert import convert

transformers = pytest.importorskip("transformers")

VISION = {
    "hidden_size": 32,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
}
TEXT = {
    "hidden_size": 16,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "vocab_size": 49408,
}
PIXELS = {"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4], "size": {"height": 32, "width": 32}}
FAMILIES = ["CLIP", "MetaClip2", "OwlViT", "Siglip", "Blip"]


def model_folder(folder, family, pixels=PIXELS, **vision):
    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")
    model = getattr(transformers, f"{family}Model")(
        config(vision_config=VISION | vision, text_config=TEXT, projection_dim=24)
    )
    with torch.no_grad():
        for parameter in model.parameters():  # norms are no ones and zeros
            parameter += 0.1 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    if pixels is not None:
        (folder / "preprocessor_config.json").write_text(json.dumps(pixels))
    return model


@pytest.fixture
def photos():
    return [np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)]


def test_a_clip_gives_the_same_tokens_by_its_folder_and_converted(tmp_path, photos):
    model_folder(tmp_path / "theirs", "CLIP")
    convert(tmp_path / "theirs").save(tmp_path / "ours")
    theirs, ours = (SceneEncoder(load_encoder(str(tmp_path / name)), kernel=1) for name in ("theirs", "ours"))
    torch.testing.assert_close(theirs.encode(photos), ours.encode(photos), atol=1e-5, rtol=1e-4)
    assert theirs.preprocessing.mean == pytest.approx((0.4, 0.5, 0.6))


@pytest.mark.parametrize("family", FAMILIES)
def test_tokens_have_gone_through_the_models_own_last_norm_once(tmp_path, photos, family):
    vision = model_folder(tmp_path, family).vision_model.eval()
    encoder = SceneEncoder(load_encoder(str(tmp_path)), kernel=1)
    before = []
    vision.encoder.layers[-1].register_forward_hook(
        lambda _layer, _given, out: before.append(out if isinstance(out, torch.Tensor) else out[0])
    )
    with torch.no_grad():
        vision(pixel_values=torch.from_numpy(encoder.prepare(photos)))
        expected = vision.post_layernorm(before[-1])
    torch.testing.assert_close(encoder.encode(photos), expected, atol=1e-5, rtol=1e-4)
    assert encoder.encoder.identity.endswith("+norm") == (family in ("CLIP", "MetaClip2", "OwlViT"))


def test_without_a_preprocessor_file_the_familys_own_numbers_count(tmp_path):
    model_folder(tmp_path / "siglip", "Siglip", None)
    assert load_encoder(str(tmp_path / "siglip")).preprocessing.mean == (0.5, 0.5, 0.5)
    model_folder(tmp_path / "clip", "CLIP", None)
    assert load_encoder(str(tmp_path / "clip")).preprocessing.mean == MEAN


def test_what_a_preprocessor_file_says_is_heeded_or_named(tmp_path):
    model_folder(tmp_path / "raw", "CLIP", PIXELS | {"do_normalize": False})
    preprocessing = load_encoder(str(tmp_path / "raw")).preprocessing
    assert (preprocessing.mean, preprocessing.std) == ((0, 0, 0), (1, 1, 1))
    for wrong in ({"do_rescale": False}, {"rescale_factor": 1 / 127.5}):
        model_folder(tmp_path / "other", "CLIP", PIXELS | wrong)
        with pytest.raises(ConfigError, match="does not rescale pixels to 0 to 1"):
            load_encoder(str(tmp_path / "other"))


@pytest.mark.parametrize("family", ["Bert", "ResNet"])
def test_what_is_no_vision_transformer_is_refused(tmp_path, family):
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    if family == "ResNet":
        sizes = {"embedding_size": 8, "hidden_sizes": [8], "depths": [1]}
    model = getattr(transformers, f"{family}Model")(getattr(transformers, f"{family}Config")(**sizes))
    model.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text("{}")
    with pytest.raises(ConfigError, match="no vision transformer: give CLIP, SigLIP, DINOv2"):
        load_encoder(str(tmp_path))


@pytest.mark.parametrize("seed", [1, 2])
def test_random_weights_are_others_and_the_same_for_a_seed(tmp_path, photos, seed):
    model_folder(tmp_path, "Siglip")
    given = SceneEncoder(load_encoder(str(tmp_path)))
    one, again, other = (untrained(given, each) for each in (seed, seed, seed + 2))
    assert one.identity == again.identity
    assert len({given.identity, one.identity, other.identity}) == 3
    torch.testing.assert_close(one.encode(photos), again.encode(photos))
    assert not torch.allclose(one.encode(photos), given.encode(photos))


def test_a_missing_path_is_never_asked_for_on_the_hub(tmp_path, monkeypatch):
    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", lambda *_, **__: pytest.fail("the hub was asked"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").mkdir()
    for name in (str(tmp_path / "gone"), "weights/gone", "./gone", "a/b/c", "../gone", "~/gone"):
        with pytest.raises(ModelError, match="no such folder"):
            load_encoder(name)
    assert may_be_on_the_hub("openai/clip-vit-base-patch16")
    assert may_be_on_the_hub("gpt2")


def test_a_run_keeps_the_whole_path_of_its_encoder(tmp_path, monkeypatch):
    model_folder(tmp_path / "clip", "CLIP")
    monkeypatch.chdir(tmp_path)
    module = Recognition("parseq-compact", clipter=ClipterConfig(encoder="clip", scene_dim=32))
    assert module.model.clipter.encoder == str(tmp_path / "clip")
    module = Recognition("parseq-compact", clipter=ClipterConfig(encoder="random"))
    assert module.model.clipter.encoder == "random"
