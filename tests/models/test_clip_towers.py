from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from wordsight.models.clip import CLIP_TOWERS, Clip, ClipConfig
from wordsight.models.clip.image import ImageTower, resize_positions
from wordsight.models.config import ImageTowerConfig, TextTowerConfig

SMALL = ImageTowerConfig(32, 32, patch=(8, 8), width=16, layers=1, heads=2)


@pytest.mark.parametrize("name", CLIP_TOWERS)
def test_sizes(name):
    cfg = CLIP_TOWERS[name]
    patch = int(name.split("-")[2])
    assert cfg.image.patch == (patch, patch)
    assert cfg.image.height == (336 if name.endswith("336") else 224)
    assert cfg.text.width == cfg.embed_dim
    assert ClipConfig.from_dict(cfg.to_dict()) == cfg


def test_similarities_use_the_class_token_and_the_end_of_the_text():
    torch.manual_seed(0)
    clip = Clip(ClipConfig(SMALL, TextTowerConfig(49408, 16, 24, 1, 2), 24))
    images, tokens = torch.randn(3, 3, 32, 32), torch.tensor([[49406, 320, 49407, 0], [49406, 5, 6, 49407]])
    logits = clip(images, tokens)
    assert logits.shape == (3, 2)
    image = F.normalize(clip.image_tower(images)[:, 0], dim=-1)
    text = torch.stack([clip.text_tower(tokens)[0, 2], clip.text_tower(tokens)[1, 3]])
    torch.testing.assert_close(logits, image @ F.normalize(text, dim=-1).T / 0.07)
    longer = torch.cat([tokens[:1], torch.zeros(1, 5, dtype=torch.long)], dim=1)
    torch.testing.assert_close(clip(images, longer), logits[:, :1])


def test_positions_of_another_grid():
    grid = torch.linspace(0, 1, 4)[:, None].expand(4, 4).flatten()[:, None]  # grows from top to bottom
    positions = torch.cat([torch.full((1, 1), 9.0), grid])
    wide = resize_positions(positions, (4, 4), (2, 8))
    assert wide.shape == (17, 1)
    assert wide[0] == 9
    rows = wide[1:, 0].unflatten(0, (2, 8))
    torch.testing.assert_close(rows[:, :1].expand(2, 8), rows)
    assert rows[0, 0] < 0.35
    assert rows[1, 0] > 0.65
    assert torch.equal(resize_positions(positions, (4, 4), (4, 4)), positions)


def test_a_tower_for_larger_patches_sees_what_the_old_one_sees():
    """Enlarged images in a tower with patches enlarged alike: nearly the same tokens."""
    torch.manual_seed(0)
    old = ImageTower(SMALL, 24)
    new_cfg = replace(SMALL, height=64, width_px=64, patch=(16, 16))
    new = old.resized(new_cfg)
    smooth = F.interpolate(torch.randn(2, 3, 8, 8), 32, mode="bilinear")
    expected, found = old(smooth), new(F.interpolate(smooth, 64, mode="bilinear"))
    assert (found - expected).norm() < 0.1 * expected.norm()
    assert old.resized(replace(SMALL, height=64))(torch.zeros(1, 3, 64, 32)).shape == (1, 33, 24)
    assert old.resized(SMALL) is old
