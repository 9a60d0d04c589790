"""Rasterizing rendered crops: independent of the batch, and as Pillow would do it."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import wordsight.synth.rasterize as rasterize_module
from wordsight.imaging import Preprocessing, prepare
from wordsight.synth.optics import enlarge, jpeg, lens, noise
from wordsight.synth.rasterize import images, rasterize
from wordsight.synth.words import RenderedWords


@pytest.fixture(scope="module")
def source(few_fonts: Path) -> RenderedWords:
    return RenderedWords(seed=11, fonts=few_fonts)


def test_a_row_does_not_depend_on_its_batch(source: RenderedWords) -> None:
    numbers = list(range(40, 73))
    together = rasterize(source.drafts(numbers))
    for k in (0, 5, 17, 32):
        assert torch.equal(rasterize(source.drafts([numbers[k]]))[0], together[k])
    assert torch.equal(rasterize(source.drafts(numbers[::-1])).flip(0), together)


def test_training_images_are_the_crops_prepared(source: RenderedWords) -> None:
    crops = [sample.image for sample in source.many(range(100))]
    expected = prepare(crops, Preprocessing(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))) * 255
    found = images(source.drafts(range(100)), (32, 128)).numpy()
    apart = np.abs(found - expected)
    exact = [k for k, crop in enumerate(crops) if crop.shape[0] <= 32 and crop.shape[1] <= 128]
    assert len(exact) > 25
    assert apart[exact].mean() < 0.3
    assert apart.mean() < 3  # others are enlarged and shrunk again on the way


@pytest.mark.parametrize("size", [(32, 128), (48, 192), (224, 224)])
def test_other_inputs_can_be_had(few_fonts: Path, size: tuple[int, int]) -> None:
    source = RenderedWords(seed=11, fonts=few_fonts, size=size)
    found = images(source.drafts(range(6)), size)
    assert found.shape == (6, 3, *size)
    assert (found == found.round()).all()
    assert 0 <= found.min() < found.max() <= 255
    assert all(s.image.shape[0] <= 400 for s in source.many(range(6)))


def _picture(seed: int = 0) -> torch.Tensor:
    coarse = torch.rand(1, 3, 8, 32, generator=torch.Generator().manual_seed(seed))
    coarse = 0.8 * coarse[:, :1] + 0.2 * coarse  # colours of photographs go together
    smooth = torch.nn.functional.interpolate(coarse, size=(32, 128), mode="bicubic").clamp(0, 1)
    return (smooth * 255).round() / 255


def _pillow(picture: torch.Tensor) -> Image.Image:
    return Image.fromarray((picture[0] * 255).round().to(torch.uint8).permute(1, 2, 0).numpy())


@pytest.mark.parametrize("quality", [30, 60, 90])
def test_jpeg_loses_what_libjpeg_loses(quality: int) -> None:
    picture = _picture()[:, :1].expand(1, 3, 32, 128)
    stored = io.BytesIO()
    _pillow(picture).save(stored, "JPEG", quality=quality, subsampling=2)
    expected = np.asarray(Image.open(stored)).astype(float)
    found = (jpeg(picture, torch.tensor([float(quality)]))[0] * 255).permute(1, 2, 0).numpy()
    given = np.asarray(_pillow(picture)).astype(float)
    loss = np.abs(expected - given).mean()
    assert loss > 0.5
    assert np.abs(found - expected).mean() < 0.3 * loss  # libjpeg rounds more often on the way


def test_enlarging_is_pillows_bicubic() -> None:
    picture = _picture(1)
    found = enlarge(picture, torch.tensor([20]), torch.tensor([52]), (32, 128), 4)[0] * 255
    part = Image.fromarray(np.asarray(_pillow(picture))[:20, :52]).resize((128, 32), Image.Resampling.BICUBIC)
    assert (
        np.abs(found.permute(1, 2, 0).numpy() - np.asarray(part).astype(float)).max() <= 4
    )  # Pillow rounds and limits between across and down


def test_the_lens_blurs_smears_and_sharpens() -> None:
    point = torch.zeros(3, 1, 15, 15)
    point[:, :, 7, 7] = 1
    sigma = torch.tensor([[1.0, 1.0], [0.25, 0.25], [0.25, 0.25]])
    motion = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 0.0]])
    sharpen = torch.tensor([0.0, 0.0, 1.0])
    blurred, smeared, sharpened = lens(point, sigma, motion, sharpen, torch.ones(3))[:, 0]
    assert torch.allclose(blurred, blurred.T, atol=1e-6)
    assert blurred.sum() == pytest.approx(1, abs=1e-4)
    assert 0.1 < blurred[7, 7] < 0.2
    assert smeared[7].sum() == pytest.approx(1, abs=1e-3)
    assert smeared[7, 5] > 0.05
    assert sharpened[7, 7] > 1.5
    assert sharpened.min() < -0.02


def test_noise_is_normal_and_a_function_of_its_place() -> None:
    like = torch.zeros(2, 3, 32, 128)
    start = torch.tensor([0.1, 0.7])
    field = noise(like, start, torch.tensor([1.0, 0.0])[:, None, None, None])
    assert torch.equal(field[1], noise(like[:1], start[1:], torch.zeros(1, 1, 1, 1))[0])
    assert field[0].std() == pytest.approx(1, abs=0.05)
    assert torch.equal(field[1, 0], field[1, 2])
    assert not torch.equal(field[0, 0], field[0, 2])


@pytest.mark.parametrize("threads", [1, 2])
def test_pictures_are_made_in_one_thread_and_the_others_come_back(
    source: RenderedWords, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    """Threads that wait for each other at every small operation stall where other programs run."""
    seen = []
    painted = rasterize_module._painted

    def watched(*args: Any) -> Any:
        seen.append(torch.get_num_threads())
        return painted(*args)

    monkeypatch.setattr(rasterize_module, "_painted", watched)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        rasterize(source.drafts([1]))
        images(source.drafts([1]), (32, 128))
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert seen == [1, 1]
