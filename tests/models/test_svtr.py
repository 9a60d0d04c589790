"""The recognizer of PP-OCRv6 on small random weights: any width, checkpoints, packs, scenes."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from onnx_twin import SCENE_DIM, scenes

from wordsight.errors import ConfigError
from wordsight.imaging import Preprocessing, batches
from wordsight.models import checkpoint
from wordsight.models.charset import with_head_of
from wordsight.models.clipter import ClipterConfig, SceneContext, insert
from wordsight.models.ppocr import LcNetConfig, Svtr, SvtrConfig
from wordsight.models.ppocr.neck import NeckConfig
from wordsight.models.reading import TorchRecognizer
from wordsight.runtime import OnnxRecognizer, load_pack
from wordsight.text import Charset
from wordsight.weights.export import export_pack

SMALL = LcNetConfig(stem=(3, 4, 8), stages=(((3, 8, 8, (2, 1), True),), ((3, 8, 16, (2, 1), False),)))
CONFIG = SvtrConfig(charset=Charset("letters", "abc d"), convolutions=SMALL, neck=NeckConfig(width=16, heads=2))


@pytest.fixture(scope="module")
def model() -> Svtr:
    torch.manual_seed(0)
    return Svtr(CONFIG).eval()


def test_gelu_by_tanh_is_hardly_another_model(model):
    quick = Svtr(replace(CONFIG, convolutions=replace(SMALL, approximate="tanh"))).eval()
    quick.load_state_dict(model.state_dict())
    images = torch.randn(2, 3, 48, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        exact, near = model(images), quick(images)
    assert 0 < (exact - near).abs().max() < 1e-3
    assert Svtr.config_class.from_dict(json.loads(json.dumps(quick.cfg.to_dict()))) == quick.cfg


def test_another_way_to_compute_gelu_is_refused():
    with pytest.raises(ConfigError, match=r"^approximate cannot be 'erf': choose one of 'none', 'tanh'$"):
        SvtrConfig.from_dict(
            CONFIG.to_dict() | {"convolutions": {**CONFIG.to_dict()["convolutions"], "approximate": "erf"}}
        )


def crops(*sizes: tuple[int, int]) -> list[np.ndarray]:
    dice = np.random.default_rng(1)
    return [dice.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


def test_a_frame_for_every_eight_pixels(model):
    for width in (32, 96, 512):
        memory = model.encode(torch.zeros(2, 3, 48, width))
        assert memory.shape == (2, width // 8, 16)
        assert model.decode(memory).shape == (2, width // 8, 6)


def test_a_checkpoint_is_read_back(model, tmp_path):
    folder = checkpoint.save(model, tmp_path / "model", said="so")
    again, about = checkpoint.load(folder)
    assert about == {"said": "so"}
    assert again.cfg == CONFIG
    images = torch.rand(1, 3, 48, 64)
    with torch.no_grad():
        torch.testing.assert_close(again.decode(again.encode(images)), model.decode(model.encode(images)))


def test_a_pack_reads_every_width_as_the_model_does_and_company_changes_nothing(model, tmp_path):
    pack = export_pack(model, tmp_path / "pack", name="small", weights="float32")
    manifest = json.loads((tmp_path / "pack" / "pack.json").read_text())
    assert manifest["preprocessing"]["width"] is None
    assert load_pack(tmp_path / "pack").preprocessing == CONFIG.preprocessing
    ours, theirs = OnnxRecognizer(pack, "cpu", 1), TorchRecognizer(model)
    widths = set()
    for numbers, images in batches(crops((20, 30), (48, 44), (50, 300), (9, 90), (30, 180)), pack.preprocessing, 8):
        widths.add(images.shape[3])
        together = ours.read(images)
        for row, reading in enumerate(theirs.read(images)):
            alone = ours.read(images[row : row + 1])[0]
            assert alone == together[row]
            assert alone.text == reading.text
            assert alone.confidence == pytest.approx(reading.confidence, rel=1e-3)
        assert len(numbers) == len(images)
    assert len(widths) >= 3


def test_characters_keep_their_rows_in_another_charset(model):
    other, new = with_head_of(model, Charset("more", "dáb"))
    assert new == "á"
    images = torch.rand(1, 3, 48, 64)
    with torch.no_grad():
        before, after = (one.decode(one.encode(images))[0] for one in (model, other))
    torch.testing.assert_close(after[:, [0, 1, 3]], before[:, [0, 5, 2]])
    torch.testing.assert_close(after[:, 2], before[:, 1] - 2)
    with pytest.raises(ConfigError, match="neither 'x' nor 'x'"):
        with_head_of(model, Charset("strange", "x"))


@pytest.mark.parametrize("place", ["early", "late"])
def test_scenes_are_heard_once_the_gate_is_open(place):
    torch.manual_seed(0)
    model = Svtr(CONFIG)
    insert(model, ClipterConfig(scene_dim=SCENE_DIM, place=place))
    model.eval()
    context = SceneContext(*scenes(3, torch.Generator().manual_seed(0)))
    images = torch.rand(3, 3, 48, 64)

    def told(context: SceneContext | None) -> torch.Tensor:
        with torch.no_grad():
            return model.decode(model.encode(images, context), context)

    alone = told(None)
    torch.testing.assert_close(told(context), alone)  # the gate begins closed
    torch.nn.init.constant_(model.fusions[place].gate.alpha, 0.5)
    assert (told(context) - alone).abs()[:2].max() > 0.01
    torch.testing.assert_close(told(context)[2], alone[2])  # the last crop has no scene


def test_crops_of_any_width_make_batches_of_one_width_each():
    spec = Preprocessing(48, None, margin=24, stretch=1.25)
    some = crops((48, 40), (24, 100), (10, 20), (48, 40), (48, 2000))
    found = list(batches(some, spec, 32))
    assert sorted(number for batch in found for number in batch.numbers) == list(range(5))
    for numbers, images in found:
        for number, image in zip(numbers, images, strict=True):
            height, width = some[number].shape[:2]
            covered = round(48 * width / height * 1.25)
            assert images.shape[3] % 16 == 0
            assert 24 <= images.shape[3] - covered < 24 + 32
            assert not image[:, :, covered:].any()
            assert image[:, :, :covered].any(axis=(0, 1)).all()


@pytest.mark.parametrize(
    "values", [{"margin": 8}, {"stretch": 1.5}, {"width": None, "stretch": 0.0}, {"width": None, "margin": -1}]
)
def test_preprocessing_that_makes_no_sense_is_refused(values):
    with pytest.raises(ConfigError, match="margin"):
        Preprocessing(**values)


def test_preprocessing_of_any_width_survives_json():
    spec = Preprocessing(48, None, margin=24, stretch=1.25)
    assert Preprocessing.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    with pytest.raises(ConfigError, match="any width"):
        _ = spec.size
