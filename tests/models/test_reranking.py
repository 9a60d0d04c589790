from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.decoding.kinds import KINDS
from wordsight.errors import ConfigError
from wordsight.models import checkpoint, reranking
from wordsight.models.clip import Clip, ClipConfig
from wordsight.models.clip4str import CLIP4STR_PRESETS, Clip4Str
from wordsight.models.config import ImageTowerConfig, TextTowerConfig
from wordsight.models.reading import TorchRecognizer
from wordsight.models.reranking import RerankingRecognizer

IMAGES = np.random.default_rng(0).normal(size=(3, 3, 32, 128)).astype(np.float32)


@pytest.fixture(scope="module")
def clip():
    torch.manual_seed(0)
    sizes = ImageTowerConfig(16, 16, patch=(8, 8), width=16, layers=1, heads=2), TextTowerConfig(49408, 16, 16, 1, 2)
    return Clip(ClipConfig(*sizes, 16)).eval()


@pytest.fixture(scope="module")
def model():
    """Sure of little, so that draws differ."""
    torch.manual_seed(1)
    model = Clip4Str(CLIP4STR_PRESETS["clip4str-tiny"]).eval()
    with torch.no_grad():
        for branch in (model.visual_decoder, model.cross_decoder):
            branch.head.bias[0] = 2.5  # short words
    return model


def test_clip_chooses_among_what_was_drawn(model, clip, monkeypatch):
    asked = []

    def last(clip, image, readings, weight=1.0):
        assert image.shape == (3, 16, 16)
        asked.append(list(readings))
        return [(text, 0.0) for text in reversed(asked[-1])]

    monkeypatch.setattr(reranking, "rerank", last)
    plain = TorchRecognizer(model).read(IMAGES)
    found = RerankingRecognizer(model, clip).read(IMAGES)
    assert [readings[0] for readings in asked] == [reading.text for reading in plain]
    assert [reading.text for reading in found] == [readings[-1] for readings in asked]
    for reading in found:
        assert "".join(char.text for char in reading.chars) == reading.text
        assert 0 < reading.confidence < np.prod([char.probability for char in reading.chars])  # there is [E] as well


def test_a_crop_is_read_the_same_whatever_it_is_read_with(model, clip):
    recognizer = RerankingRecognizer(model, clip)
    together = [reading.text for reading in recognizer.read(IMAGES)]
    assert [recognizer.read(image[None])[0].text for image in IMAGES] == together


def test_pictures_keep_their_colours(model, clip):
    """Grey of 0.25 is grey of 0.25 to CLIP, in its own normalisation."""
    own = Clip(replace(clip.cfg, mean=(0.5, 0.4, 0.3), std=(0.1, 0.2, 0.3)))
    recognizer = RerankingRecognizer(model, own)
    images = np.full((1, 3, 32, 128), -0.5, np.float32)  # (0.25 - 0.5) / 0.5
    seen = recognizer._as_clip_sees(images)[0].mean((1, 2))
    expected = (0.25 - torch.tensor([0.5, 0.4, 0.3])) / torch.tensor([0.1, 0.2, 0.3])
    torch.testing.assert_close(seen, expected, rtol=1e-5, atol=1e-5)


def test_other_decodings_have_nothing_to_draw(model, clip, monkeypatch):
    monkeypatch.setattr(Clip4Str, "kind", KINDS["ctc"])
    with pytest.raises(ConfigError, match="re-ranking is for PARSeq and CLIP4STR"):
        RerankingRecognizer(model, clip)


def test_eval_reranks(model, clip, tmp_path):
    from PIL import Image

    checkpoint.save(model, tmp_path / "model")
    checkpoint.save(clip, tmp_path / "clip")
    data = tmp_path / "words"
    data.mkdir()
    Image.new("RGB", (60, 20), "grey").save(data / "a.png")
    (data / "labels.tsv").write_text("a.png\ttext\n")
    command = ["eval", str(tmp_path / "model"), str(data), "--threads=1"]
    result = CliRunner().invoke(app, [*command, f"--rerank={tmp_path / 'clip'}"])
    assert result.exit_code == 0, result.output
    result = CliRunner().invoke(app, [*command, f"--rerank={tmp_path / 'model'}"])
    assert "holds no CLIP" in str(result.exception)
    result = CliRunner().invoke(app, ["eval", "latin", str(data), f"--rerank={tmp_path / 'clip'}"])
    assert "does not work with packs" in str(result.exception)
