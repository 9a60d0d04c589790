from dataclasses import replace

import numpy as np
import pytest
import torch
from small_models import small_config

from wordsight.errors import ConfigError, ModelError
from wordsight.models import checkpoint
from wordsight.models.clip import Clip, ClipConfig
from wordsight.models.clip.config import VOCAB_SIZE
from wordsight.models.clip4str import Clip4Str
from wordsight.models.config import ImageTowerConfig, TextTowerConfig
from wordsight.text import ClipTokenizer
from wordsight_research.clip.drawing import draw_relevance
from wordsight_research.clip.zeroshot import load_clip, match, occlude, prepare_image, relevance

IMAGE = ImageTowerConfig(32, 48, patch=(8, 8), width=32, layers=3, heads=2)
TEXT = TextTowerConfig(VOCAB_SIZE, context=12, width=16, layers=2, heads=2)
TEXTS = ["open", "closed", "a red door"]


@pytest.fixture(scope="module")
def clip():
    torch.manual_seed(5)
    clip = Clip(ClipConfig(IMAGE, TEXT, 24)).eval()
    for block in clip.image_tower.blocks:  # so that attention is not uniform
        block.attention.q.weight.data.mul_(4)
        block.attention.k.weight.data.mul_(4)
    return clip


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (40, 90, 3), dtype=np.uint8)


def test_similarities_are_those_of_the_pooled_vectors(clip, picture):
    found = match(clip, picture, TEXTS)
    tokens = torch.from_numpy(ClipTokenizer().encode(TEXTS, 12))
    with torch.no_grad():
        image = clip.image_tower(prepare_image(clip, picture))[0, 0]
        ends = [clip.text_tower(row[None])[0, row.tolist().index(49407)] for row in tokens]
    cosines = [float(torch.dot(image, end) / image.norm() / end.norm()) for end in ends]
    logits = [cosine / 0.07 for cosine in cosines]
    total = sum(np.exp(logits))
    for one, text, cosine, logit in zip(found, TEXTS, cosines, logits, strict=True):
        assert one.text == text
        assert one.cosine == pytest.approx(cosine, abs=1e-5)
        assert one.logit == pytest.approx(logit, abs=1e-4)
        assert one.probability == pytest.approx(np.exp(logit) / total, abs=1e-5)


def test_pictures_are_normalised_as_the_towers_want_it(clip, tmp_path):
    grey = np.full((32, 48, 3), 51, np.uint8)  # 0.2
    own = Clip(replace(clip.cfg, mean=(0.5, 0.4, 0.3), std=(0.1, 0.2, 0.3)))
    expected = (0.2 - torch.tensor([0.5, 0.4, 0.3])) / torch.tensor([0.1, 0.2, 0.3])
    torch.testing.assert_close(prepare_image(own, grey)[0, :, 7, 7], expected)
    text = TextTowerConfig(VOCAB_SIZE, context=16, width=24, layers=1, heads=2)
    cfg = small_config(
        image=replace(small_config().image, class_token=True), captions="clip", text=text, mean=own.cfg.mean
    )
    checkpoint.save(Clip4Str(cfg), tmp_path)
    assert load_clip(tmp_path).cfg.mean == (0.5, 0.4, 0.3)


def test_relevance_of_one_layer_is_its_positive_gradient_times_attention(picture):
    torch.manual_seed(6)
    clip = Clip(ClipConfig(ImageTowerConfig(16, 24, patch=(8, 8), width=8, layers=1, heads=1), TEXT, 24)).eval()
    (found,) = relevance(clip, picture, ["open"])
    # By hand: attention of the class token as a leaf, everything after it written out.
    block, tower = clip.image_tower.blocks[0], clip.image_tower
    x = tower.stem(prepare_image(clip, picture)).flatten(2).transpose(1, 2)
    x = tower.norm_pre(torch.cat([tower.class_embedding[None, None], x], 1) + tower.positional_embedding)[0]
    normed = block.norm1(x)
    attention = (block.attention.q(normed) @ block.attention.k(normed).T / 8**0.5).softmax(-1).detach()
    attention.requires_grad_()
    x = x + block.attention.out(attention @ block.attention.v(normed))
    x = tower.norm_post(x + block.mlp(block.norm2(x)))[0] @ tower.projection
    tokens = torch.from_numpy(ClipTokenizer().encode(["open"], 12))
    logit = torch.cosine_similarity(x, clip.encode_text(tokens)[0], dim=0) / 0.07
    (gradient,) = torch.autograd.grad(logit, attention)
    expected = (gradient * attention).clamp(min=0)[0, 1:].reshape(2, 3)
    assert expected.max() > 0
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-3, atol=1e-7)


def test_each_text_has_a_map_over_the_patches(clip, picture):
    maps = relevance(clip, picture, TEXTS)
    assert maps.shape == (3, 4, 6)
    assert (maps >= 0).all()
    assert maps.max() > 0
    assert not np.allclose(maps[0], maps[1])
    drawing = draw_relevance(picture, [(text, 0.5) for text in TEXTS], maps)
    assert drawing.height > 3 * 160


def test_occlusion_covers_the_pixels_that_it_names_and_no_others(picture):
    covered = occlude(picture, [(10, 5, 20, 30), (80, 0, 10, 40)])
    changed = (covered != picture).any(2)
    assert changed[5:35, 10:30].mean() > 0.95
    assert changed[:, 80:].mean() > 0.95
    changed[5:35, 10:30] = changed[:, 80:] = False
    assert not changed.any()
    assert len(np.unique(covered[5:35, 10:30].reshape(-1, 3), axis=0)) == 1


@pytest.mark.parametrize("box", [(80, 0, 11, 10), (0, 39, 5, 2), (-1, 0, 5, 5), (0, 0, 0, 5)])
def test_a_box_outside_the_picture_is_refused(picture, box):
    with pytest.raises(ConfigError, match="90 x 40 pixels"):
        occlude(picture, [box])


def test_the_towers_of_a_recognizer_make_a_clip(clip, tmp_path, picture):
    stats = {"mean": clip.cfg.mean, "std": clip.cfg.std}  # as recognizers that start from CLIP have them
    recognizer = Clip4Str(small_config(image=IMAGE, text=TEXT, captions="clip", caption_context=12, **stats))
    recognizer.image_tower.load_state_dict(clip.image_tower.state_dict())
    recognizer.text_tower.load_state_dict(clip.text_tower.state_dict())
    checkpoint.save(recognizer, tmp_path)
    for a, b in zip(match(load_clip(tmp_path), picture, TEXTS), match(clip, picture, TEXTS), strict=True):
        assert a.cosine == pytest.approx(b.cosine, abs=1e-5)
        assert a.logit == pytest.approx(100 * a.cosine, rel=1e-3)


def test_a_text_tower_of_characters_is_refused(tmp_path):
    checkpoint.save(Clip4Str(small_config()), tmp_path)
    with pytest.raises(ModelError, match="CLIP's tokens"):
        load_clip(tmp_path)
