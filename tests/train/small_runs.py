"""What runs of milliseconds a step are made of, and how they are compared."""

import dataclasses

from wordsight.models import checkpoint
from wordsight.models.clip4str import CLIP4STR_PRESETS
from wordsight.models.config import DecoderConfig, ImageTowerConfig


def tiny_config(dropout=0.0):
    """A compact CLIP4STR, but smaller."""
    cfg = CLIP4STR_PRESETS["clip4str-tiny"]
    image = ImageTowerConfig(32, 128, patch=(16, 16), class_token=False, width=32, layers=1, heads=2)
    text = dataclasses.replace(cfg.text, width=32, layers=1, heads=2)
    decoder = DecoderConfig(heads=2, dropout=dropout)
    return dataclasses.replace(cfg, image=image, text=text, decoder=decoder, embed_dim=32)


def weights(folder):
    """Of the recognizer that a run left."""
    return checkpoint.load(folder / "model")[0].state_dict()


def assert_same(found, expected, atol=0.0):
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        difference = (found[name] - tensor).abs().max().item()
        assert difference <= atol, f"{name} differs by {difference}"


def largest_change(a, b):
    return max((a[name] - b[name]).abs().max().item() for name in a)
