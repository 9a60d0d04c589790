"""PP-OCRv6's recognizer in PyTorch beside the file that the `rapidocr` wheel carries, in ONNX Runtime."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch

from wordsight.detect import TextDetector
from wordsight.errors import ModelError
from wordsight.imaging import load_image
from wordsight.models import checkpoint
from wordsight.models.charset import with_head_of
from wordsight.models.ppocr import Db, LcNet, LcNetConfig, Svtr
from wordsight.text import Charset
from wordsight.weights.convert import convert
from wordsight.weights.export import export_detector
from wordsight.weights.ppocr import (
    db_from_onnx,
    fill_from_onnx,
    folded,
    onnx_characters,
    rapidocr_file,
    svtr_from_onnx,
)


@pytest.fixture(scope="module")
def recognizer() -> Svtr:
    pytest.importorskip("rapidocr")
    return svtr_from_onnx(rapidocr_file("rec"))


def onnx_probabilities(recognizer: Svtr, images: torch.Tensor) -> np.ndarray:
    """Those of the file, of the classes that the recognizer kept."""
    classes = {c: row for row, c in enumerate(["", *onnx_characters(rapidocr_file("rec")), " "])}
    rows = [classes[c] for c in ("", *recognizer.cfg.charset.characters)]
    session = ort.InferenceSession(str(rapidocr_file("rec")), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: images.flip(1).numpy()})[0][..., rows]


@pytest.mark.parametrize("width", [64, 160, 320])
def test_equal_to_the_onnx_file(recognizer, width):
    images = torch.rand(2, 3, 48, width, generator=torch.Generator().manual_seed(width)) * 2 - 1
    with torch.no_grad():
        found = recognizer.decode(recognizer.encode(images)).softmax(-1).numpy()
    np.testing.assert_allclose(found, onnx_probabilities(recognizer, images), atol=1e-4)


@pytest.mark.data
def test_equal_to_the_onnx_file_on_real_crops(recognizer, real_data):
    from wordsight.imaging import batches, load_image

    folder = real_data / "words" / "train" / "iiit5k"
    crops = [load_image(path) for path in sorted(folder.glob("*.jpg"))[:60]]
    widths = set()
    for batch in batches(crops, recognizer.cfg.preprocessing, 8):
        images = torch.from_numpy(batch.images)
        with torch.no_grad():
            found = recognizer.decode(recognizer.encode(images)).softmax(-1).numpy()
        np.testing.assert_allclose(found, onnx_probabilities(recognizer, images), atol=1e-4)
        widths.add(images.shape[-1])
    assert len(widths) >= 3


def test_rows_of_the_head_follow_their_characters(recognizer):
    charset = Charset("some", "aZ €ả")
    some, new = with_head_of(recognizer, charset)
    assert new == "ả"
    images = torch.rand(1, 3, 48, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        many = recognizer.decode(recognizer.encode(images))[0]
        few = some.decode(some.encode(images))[0]
    classes = [recognizer.cfg.charset.characters.index(c) + 1 for c in "aZ €"]
    torch.testing.assert_close(few[:, :5], many[:, [0, *classes]])
    torch.testing.assert_close(few[:, 5], few[:, 1] - 2.0)  # as its base letter, less likely


def test_another_network_is_refused(recognizer):
    with pytest.raises(ModelError, match="layers with weights"):
        fill_from_onnx((LcNet(LcNetConfig()),), rapidocr_file("rec"))


def test_a_folded_norm_is_the_norm():
    convolution = torch.nn.Conv2d(3, 5, 3, bias=False)
    norm = torch.nn.BatchNorm2d(5).eval()
    with torch.no_grad():
        for values in (norm.weight, norm.bias, norm.running_mean):
            values.normal_()
        norm.running_var.uniform_(0.5, 2)
        images = torch.randn(2, 3, 8, 8)
        weight, bias = folded(
            convolution.weight,
            torch.zeros(5),
            norm.weight,
            norm.bias,
            norm.running_mean,
            norm.running_var,
            eps=norm.eps,
        )
        torch.testing.assert_close(torch.nn.functional.conv2d(images, weight, bias), norm(convolution(images)))


@pytest.fixture(scope="module")
def detector() -> Db:
    pytest.importorskip("rapidocr")
    return db_from_onnx(rapidocr_file("det"))


def onnx_map(images: torch.Tensor) -> np.ndarray:
    session = ort.InferenceSession(str(rapidocr_file("det")), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: images.flip(1).numpy()})[0]


@pytest.mark.parametrize("size", [(64, 96), (160, 32)])
def test_a_detector_equal_to_the_onnx_file(detector, size):
    images = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    images[:, :, 16:24] = -1  # what might be text
    with torch.no_grad():
        np.testing.assert_allclose(detector(images).numpy(), onnx_map(images), atol=1e-4)


@pytest.mark.data
@pytest.mark.parametrize(("number", "size"), [(0, (192, 320)), (1, (256, 480)), (2, (320, 640))])
def test_a_detector_equal_to_the_onnx_file_on_photographs(detector, real_data, number, size):
    from wordsight.data import read_scenes

    scene = read_scenes(real_data / "scenes" / "train" / "ic15")[number]
    word = next(word for word in scene.words if word.legible)
    pixels = scene.load()
    corner = np.clip(word.polygon.mean(0)[::-1] - np.array(size) / 2, 0, np.array(pixels.shape[:2]) - size)
    top, left = corner.astype(int)
    part = torch.from_numpy(pixels[top : top + size[0], left : left + size[1]].copy())
    images = part.permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        found = detector(images).numpy()
    assert found.max() > 0.5  # there is text
    np.testing.assert_allclose(found, onnx_map(images), atol=1e-4)


def test_a_recognizers_file_is_no_detectors(recognizer):
    with pytest.raises(ModelError, match="layers with weights"):
        db_from_onnx(rapidocr_file("rec"))


def test_the_converted_detector_finds_what_the_wheels_does(tmp_path):
    pytest.importorskip("rapidocr")
    model = convert("rapidocr-det").model
    checkpoint.save(model, tmp_path / "det", unclip=1.0)
    pack = export_detector(checkpoint.load(tmp_path / "det")[0], tmp_path / "pack", name="det", about={"unclip": 1.0})
    assert (pack.unclip, pack.threshold, pack.mean) == (1.0, 0.3, (0.406, 0.456, 0.485))
    picture = load_image(Path(__file__).parents[2] / "examples" / "street.png")
    ours, theirs = (TextDetector(each, "cpu", 1).detect(picture) for each in (tmp_path / "pack", "ppocr"))
    assert len(ours) == len(theirs) > 5
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.polygon, b.polygon, atol=3)
        assert a.score == pytest.approx(b.score, abs=0.02)
