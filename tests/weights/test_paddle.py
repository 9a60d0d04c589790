"""PP-OCRv6's folders of the hub: written by `transformers` with random weights, read by us, the same numbers."""

import json
import string

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers.models.pp_ocrv6_medium_det import PPOCRV6MediumDetConfig, PPOCRV6MediumDetForObjectDetection
from transformers.models.pp_ocrv6_small_det import PPOCRV6SmallDetConfig, PPOCRV6SmallDetForObjectDetection
from transformers.models.pp_ocrv6_small_rec import PPOCRV6SmallRecConfig, PPOCRV6SmallRecForTextRecognition

from wordsight.errors import ConfigError, ModelError
from wordsight.models import checkpoint
from wordsight.models.ppocr import Db, Svtr
from wordsight.text import Charset
from wordsight.weights.choices import Options
from wordsight.weights.convert import convert

DETECTOR_BLOCKS = [
    [[3, 16, 16, 1, True], [3, 16, 16, 1, False]],
    [[3, 16, 24, 2, False], [5, 24, 24, 1, True]],
    [[3, 24, 32, 2, False]],
    [[3, 32, 48, [2, 2], True]],
]
RECOGNIZER_BLOCKS = [
    [[3, 16, 16, 1, True]],
    [[3, 16, 16, 1, False]],
    [[3, 16, 24, [2, 1], False], [3, 24, 24, 1, True]],
    [[3, 24, 32, [2, 1], False]],
]
STRIPS = {"reduce_channel": [1, 1, 0], "return_channel": [1, 1, 0]} | {
    f"{kind}_{name}": [kernel, [1, 1], [side // 2 for side in kernel]]
    for name, k in {"longratio": 7, "midratio": 5, "shortratio": 3}.items()
    for kind, kernel in {
        "vertical_long_to_small_conv": [k, 1],
        "horizontal_small_to_long_conv": [1, k],
        "symmetric_conv_long": [k, k],
    }.items()
}


def backbone(blocks):
    return {"model_type": "pp_lcnet_v4", "block_configs": blocks, "stem_channels": [3, 8, 16]}


def write(model, folder, **seen):
    """Random weights, norms that have seen something, and a folder as the hub has it."""
    torch.manual_seed(0)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1, 0.2)
            nn.init.normal_(layer.bias, 0, 0.2)
            nn.init.normal_(layer.running_mean, 0, 0.2)
            nn.init.uniform_(layer.running_var, 0.5, 2)
        elif isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(layer.weight, 0, layer.weight[0].numel() ** -0.5)
    model.eval().save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(seen))
    return model


def small_detector(folder):
    levels = {"out_features": ["stage1", "stage2", "stage3", "stage4"]}
    config = PPOCRV6SmallDetConfig(
        backbone_config=backbone(DETECTOR_BLOCKS) | levels,
        layer_list_out_channels=[16, 24, 32, 48],
        neck_out_channels=32,
        dilated_kernel_size=5,
    )
    return write(PPOCRV6SmallDetForObjectDetection(config), folder, image_mean=[0.4, 0.5, 0.6], image_std=[0.2] * 3)


def medium_detector(folder):
    config = PPOCRV6MediumDetConfig(
        backbone_config=backbone(DETECTOR_BLOCKS) | {"out_features": ["stage1", "stage2", "stage3", "stage4"]},
        neck_out_channels=32,
        intraclass_block_config=STRIPS,
        scale_factor_list=[1, 2, 4, 8],
        kernel_list=[3, 2, 2],
    )
    return write(PPOCRV6MediumDetForObjectDetection(config), folder)


def small_recognizer(folder, characters):
    config = PPOCRV6SmallRecConfig(
        backbone_config=backbone(RECOGNIZER_BLOCKS) | {"out_features": ["stage4"]},
        hidden_size=24,
        num_attention_heads=4,
        head_out_channels=len(characters),
    )
    model = PPOCRV6SmallRecForTextRecognition(config)
    return write(model, folder, image_mean=[0.5] * 3, image_std=[0.5] * 3, character_list=characters)


CHARACTERS = ["blank", *string.digits, *string.ascii_letters, *string.punctuation, "ё", "\u00c5", "\u212b", "½", " "]
"""The Angstrom sign among them, which is A with a ring in another spelling."""


@pytest.mark.parametrize("make", [small_detector, medium_detector])
@pytest.mark.parametrize("size", [(64, 96), (96, 32)])
def test_detectors_compute_what_they_did(tmp_path, make, size):
    theirs = make(tmp_path)
    found = convert(tmp_path)
    assert isinstance(found.model, Db)
    assert set(found.unused) == {name for name in theirs.state_dict() if name.endswith("num_batches_tracked")}
    checkpoint.save(found.model, tmp_path / "ours")
    ours, _ = checkpoint.load(tmp_path / "ours")
    assert ours.cfg == found.model.cfg
    images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wanted, got = theirs(images.flip(1)).last_hidden_state, ours(images)
    assert wanted.std() > 1e-3
    torch.testing.assert_close(got, wanted, atol=1e-4, rtol=0)


def test_what_a_detector_sees(tmp_path):
    small_detector(tmp_path)
    cfg = convert(tmp_path).model.cfg
    assert (cfg.mean, cfg.std) == ((0.4, 0.5, 0.6), (0.2, 0.2, 0.2))
    (tmp_path / "preprocessor_config.json").unlink()
    found = convert(tmp_path)
    assert found.model.cfg.mean == (0.406, 0.456, 0.485)
    assert any("mean" in line for line in found.assumed)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"image_std": [0, 0, 0]}))
    with pytest.raises(ConfigError, match=r"std \(0.0, 0.0, 0.0\) from 0.001 to 1000"):
        convert(tmp_path)


def test_a_recognizer_computes_what_it_did(tmp_path):
    theirs = small_recognizer(tmp_path, CHARACTERS)
    found = convert(tmp_path)
    assert isinstance(found.model, Svtr)
    written = found.model.cfg.charset.characters
    assert len(written) == len(CHARACTERS) - 2  # the blank, and the other spelling
    images = torch.randn(2, 3, 48, 128, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wanted = theirs(images.flip(1)).last_hidden_state
        got = found.model.decode(found.model.encode(images))
    kept = [0, *(CHARACTERS.index(c) for c in written)]
    wanted = wanted[..., kept] / wanted[..., kept].sum(-1, keepdim=True)
    torch.testing.assert_close(got.softmax(-1), wanted, atol=1e-4, rtol=0)


def test_a_recognizers_head_is_cut_to_a_charset(tmp_path):
    small_recognizer(tmp_path, CHARACTERS)
    whole = convert(tmp_path).model
    cut = convert(tmp_path, Options(charset=Charset("some", "b½a")))
    images = torch.randn(1, 3, 48, 64, generator=torch.Generator().manual_seed(1))
    rows = [0, *(whole.cfg.charset.characters.index(c) + 1 for c in "b½a")]
    with torch.no_grad():
        torch.testing.assert_close(
            cut.model.decode(cut.model.encode(images)), whole.decode(whole.encode(images))[..., rows]
        )
    assert not cut.assumed
    new = convert(tmp_path, Options(charset=Charset("some", "aả")))
    assert any("ả" in line for line in new.assumed)
    with pytest.raises(ConfigError, match="neither '가'"):
        convert(tmp_path, Options(charset=Charset("some", "가")))


def test_what_does_not_fit_is_named(tmp_path):
    small_detector(tmp_path)
    with pytest.raises(ConfigError, match="--charset"):
        convert(tmp_path, Options(charset=Charset("some", "ab")))
    config = json.loads((tmp_path / "config.json").read_text())
    for change, message in (
        ({"model_type": "pp_ocrv6_tiny_rec"}, "known are pp_ocrv6_small_rec"),
        ({"interpolate_mode": "bilinear"}, "interpolate_mode"),
        ({"dilated_kernel_size": 7}, "wrong shape"),
        ({"backbone_config": config["backbone_config"] | {"use_learnable_affine_block": True}}, "learnable"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(ModelError, match=message) as caught:
            convert(tmp_path)
        assert "\n" not in str(caught.value)
    (tmp_path / "config.json").unlink()
    with pytest.raises(ModelError, match=r"config\.json"):
        convert(tmp_path)


@pytest.mark.parametrize(
    "name", ["head.conv_up.norm.running_var", "model.neck.insert_conv.0.in_conv.weight"], ids=["norm", "weight"]
)
def test_missing_tensors_are_named(tmp_path, name):
    small_detector(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    del state[name]
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=name.replace(".", r"\.")):
        convert(tmp_path)


def test_a_recognizer_without_its_characters(tmp_path):
    small_recognizer(tmp_path, CHARACTERS)
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(ModelError, match=f"its {len(CHARACTERS)} rows"):
        convert(tmp_path)
