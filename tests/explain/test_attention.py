import importlib.util
import sys
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont
from small_models import small_config

from wordsight.decoding import PsmGraphs, Settings, read_psm
from wordsight.errors import ModelError
from wordsight.explain.attention import RecordedAttention
from wordsight.explain.drawing import draw_explanation, heat
from wordsight.explain.reading import caption_names, open_explainer
from wordsight.imaging import prepare
from wordsight.models import checkpoint
from wordsight.models.clip4str import Clip4Str
from wordsight.models.reading import TorchEngine
from wordsight.text.bpe import ClipTokenizer

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def word(text: str) -> np.ndarray:
    picture = Image.new("RGB", (20 * len(text) + 12, 40), (240, 240, 235))
    pen = ImageDraw.Draw(picture)
    for i, character in enumerate(text):  # evenly spaced
        pen.text((16 + 20 * i, 20), character, fill=(20, 30, 60), font=ImageFont.load_default(28), anchor="mm")
    return np.asarray(picture)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(3)
    model = Clip4Str(small_config()).eval()
    for decoder in (model.visual_decoder, model.cross_decoder):  # random weights say the same everywhere otherwise
        decoder.head.weight.data.mul_(30)
    return model


def test_a_recorded_tower_gives_what_it_always_gives(model):
    images = torch.randn(2, 3, 16, 32)
    tokens = torch.randint(1, 9, (2, 6))
    with torch.no_grad():
        plain = model.image_tower(images), model.text_tower(tokens)
        with RecordedAttention() as recorded:
            watched = model.image_tower(images), model.text_tower(tokens)
    for a, b in zip(plain, watched, strict=True):
        torch.testing.assert_close(a, b)
    weights = recorded.weights
    assert [tuple(w.shape) for w in weights] == [(2, 2, 9, 9), (2, 2, 9, 9), (2, 2, 6, 6)]
    for w in weights:
        torch.testing.assert_close(w.sum(-1), torch.ones(w.shape[:-1]))
    assert not weights[2].triu(1).any()


def test_gradients_reach_the_recorded_weights(model):
    with RecordedAttention() as recorded:
        features = model.image_tower(torch.randn(1, 3, 16, 32))
    (gradient,) = torch.autograd.grad(features.sum(), recorded.weights[:1])
    assert gradient.abs().sum() > 0


def test_stages_are_what_decoding_says(model, tmp_path):
    checkpoint.save(model, tmp_path)
    crop = word("bad")
    explanation = open_explainer(tmp_path)(crop)
    images = prepare([crop], model.cfg.preprocessing)
    expected = {}
    for cross, name in ((False, "visual branch"), (True, "cross-modal branch")):
        for iters, suffix in ((0, ""), (1, ", refined")):
            graphs = PsmGraphs(TorchEngine(model, cross))
            readings = read_psm(graphs, images, model.cfg.spec, Settings(refine_iters=iters))
            expected[name + suffix] = readings[0]
    found = dict(explanation.stages)
    assert found.keys() == expected.keys()
    for name, reading in found.items():
        assert reading.text == expected[name].text
        assert reading.confidence == pytest.approx(expected[name].confidence, rel=1e-4)
    assert explanation.result.text == expected["cross-modal branch, refined"].text
    assert explanation.visual.shape[1:] == explanation.cross.shape[1:] == (2, 4)
    assert explanation.cross.shape[0] == explanation.text.shape[0] >= len(explanation.result.text)
    assert explanation.text.shape[1] == len(explanation.caption)
    assert "".join(explanation.caption) == "[B]" + found["visual branch, refined"].text + "[E]"
    everything = explanation.cross.sum((1, 2)) + explanation.text.sum(1)
    assert (everything < 1).all()  # the class token has its part
    assert (everything > 0.3).all()


def test_a_model_without_cross_modal_branch_has_two_stages(model, tmp_path):
    checkpoint.save(model, tmp_path, cross=False)
    explanation = open_explainer(tmp_path)(word("cab"))
    assert [name for name, _ in explanation.stages] == ["visual branch", "visual branch, refined"]
    assert explanation.cross is explanation.text is None
    assert explanation.caption == ()
    assert draw_explanation(word("cab"), explanation).width > 400


def test_the_shipped_pack_looks_from_left_to_right():
    crop = word("STATION")
    explanation = open_explainer("small")(crop)
    assert explanation.result.text == "STATION"
    for maps in (explanation.visual, explanation.cross):
        columns = maps[:7].sum(1)
        centres = columns @ (np.arange(32) + 0.5) / columns.sum(1) / 32
        stands = (16 + 20 * np.arange(7)) / crop.shape[1]
        assert np.abs(centres - stands).max() < 20 / crop.shape[1] * 1.5
        assert np.abs(centres - stands).mean() < 20 / crop.shape[1] * 0.6
    np.testing.assert_allclose(explanation.visual.sum((1, 2)), 1, rtol=1e-5)
    np.testing.assert_allclose(explanation.cross.sum((1, 2)) + explanation.text.sum(1), 1, rtol=1e-5)


@pytest.mark.slow
def test_the_shipped_pack_looks_where_characters_stand(monkeypatch):
    """200 rendered words, as docs/explain.md says: whose boxes are known, of many faces and lengths."""
    spec = importlib.util.spec_from_file_location("attention", BENCHMARKS / "attention.py")
    benchmark = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "attention", benchmark)  # where dataclasses look for themselves
    spec.loader.exec_module(benchmark)
    found = benchmark.measure("small", words=200, seed=0)
    assert found.right > 170
    assert set(found.hits) == {(d, c) for d in ("visual", "cross-modal") for c in ("mean", "peak")}
    for both in found.hits.values():
        near, inside = np.mean(both, axis=0)
        assert len(both) > 900
        assert near >= 0.9
        assert inside >= 0.8


@pytest.mark.slow
def test_a_pack_shows_what_its_checkpoint_shows(model, tmp_path):
    from wordsight.weights.export import export_pack

    model = deepcopy(model)
    with torch.no_grad():
        for parameter in model.parameters():  # as trained: no two norms and biases are the same
            parameter += 0.01 * torch.randn_like(parameter)
    checkpoint.save(model, tmp_path / "checkpoint")
    export_pack(model, tmp_path / "pack", name="small", weights="float32")
    a, b = (open_explainer(tmp_path / name)(word("fad")) for name in ("checkpoint", "pack"))
    assert [reading.text for _, reading in a.stages] == [reading.text for _, reading in b.stages]
    for x, y in ((a.visual, b.visual), (a.cross, b.cross), (a.text, b.text)):
        np.testing.assert_allclose(x, y, atol=1e-5)
    assert a.caption == b.caption


def test_clip_captions_are_named_by_their_pieces(model):
    ids = ClipTokenizer().encode(["chicken"], 6)[0]
    names = caption_names(ids, model.tokenizer)
    assert names[0] == "[B]"
    assert "".join(names[1 : names.index("[E]")]) == "chicken"
    assert names[-1] == "·"


def test_a_clip_is_no_recognizer(tmp_path):
    with pytest.raises(ModelError):
        open_explainer(tmp_path)


def test_the_map_colours_where_it_is_high():
    crop = np.full((20, 80, 3), 255, np.uint8)
    picture = np.asarray(heat(crop, np.array([[0.0, 0.0, 0.9, 0.1]]), (200, 0, 0), (80, 20))).astype(int)
    redness = (picture[..., 0] - picture[..., 2]).mean(0)
    assert redness[45:55].mean() > 100
    assert redness[:20].max() < 5


def test_the_drawing_has_a_row_for_each_character_and_the_end():
    heights = [draw_explanation(crop, open_explainer("small")(crop)).height for crop in (word("GO"), word("GOES"))]
    assert heights[0] < heights[1]


def test_a_parseq_is_explained_too(tmp_path):
    from wordsight.models.config import DecoderConfig
    from wordsight.models.parseq import Parseq, ParseqConfig

    small = small_config()
    cfg = ParseqConfig(
        image=small.image,
        decoder=DecoderConfig(heads=4, dropout=0.0),
        embed_dim=24,
        charset=small.charset,
        max_length=8,
    )
    checkpoint.save(Parseq(cfg), tmp_path)
    explanation = open_explainer(tmp_path)(word("cab"))
    assert len(explanation.stages) == 2
    assert explanation.visual.shape[1:] == (2, 4)
