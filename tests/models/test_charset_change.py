"""A recognizer with another charset."""

import numpy as np
import pytest
import torch
from small_models import small_config

from wordsight.decoding import PsmGraphs, read_psm
from wordsight.models.charset import config_with_charset, with_charset
from wordsight.models.clip4str import Clip4Str
from wordsight.models.reading import TorchEngine
from wordsight.text import Charset, Constraint


@pytest.fixture
def model():
    torch.manual_seed(0)
    out = Clip4Str(small_config(ctc_weight=1.0)).eval()
    with torch.no_grad():  # readings that differ from image to image
        for parameter in out.parameters():
            parameter += 0.4 * torch.randn(parameter.shape)
    return out


def readings(model):
    images = np.random.default_rng(0).normal(size=(12, 3, 16, 32)).astype(np.float32)
    found = read_psm(PsmGraphs(TorchEngine(model)), images, model.cfg.spec)
    return [reading.text for reading in found]


def test_new_characters_change_no_reading(model):
    before = readings(model)
    assert len(set(before)) > 5
    grown = with_charset(model, Charset("more", "€abcdefghij₹"))
    assert grown.cfg.text.vocab_size == 15
    assert readings(grown) == before
    assert grown.visual_decoder.head.out_features == 13
    assert grown.ctc_head.out_features == 13


def test_rows_follow_their_characters(model):
    turned = with_charset(model, Charset("turned", "jihgfedcba"))
    assert not torch.equal(turned.visual_decoder.head.weight, model.visual_decoder.head.weight)
    assert readings(turned) == readings(model)
    back = with_charset(turned, model.cfg.charset)
    for name, tensor in model.state_dict().items():
        assert torch.equal(back.state_dict()[name], tensor), name


def test_characters_can_go(model):
    fewer = with_charset(model, Charset("fewer", "adj"))
    old, new = model.cross_decoder, fewer.cross_decoder
    assert torch.equal(new.head.weight, old.head.weight[[0, 1, 4, 10]])
    assert torch.equal(new.embedding.weight, old.embedding.weight[[0, 1, 4, 10, 11, 12]])
    assert set("".join(readings(fewer))) <= set("adj")


def test_a_model_of_ascii_learns_the_letters_of_latin_1_without_forgetting():
    """The way from `94+space`, which the shipped model has, to `latin`: the first rows are the old ones."""
    old, new = Charset.preset("94+space"), Charset.preset("latin")
    torch.manual_seed(1)
    model = Clip4Str(config_with_charset(small_config(ctc_weight=1.0), old)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.4 * torch.randn(parameter.shape)
    wide = with_charset(model, new)
    assert readings(wide) == readings(model)
    rows = len(old) + 1
    assert torch.equal(wide.visual_decoder.head.weight[:rows], model.visual_decoder.head.weight)
    assert torch.equal(wide.text_tower.token_embedding.weight[-2:], model.text_tower.token_embedding.weight[-2:])
    # New letters can be allowed, each in the cases that are there
    rule = Constraint.lexicon(["straße", "CAFÉ", "ÿ"], wide.tokenizer)
    assert rule.accepts(wide.tokenizer.ids("café"))
    assert rule.accepts(wide.tokenizer.ids("STRAßE"))  # as capitals it would be two letters, and Ÿ is not in Latin-1
    assert rule.accepts(wide.tokenizer.ids("ÿ"))
    assert not rule.accepts(wide.tokenizer.ids("cafe"))
