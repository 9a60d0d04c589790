"""A recognizer with another charset."""

import numpy as np
import pytest
import torch
from small_models import small_config

from wordsight.decoding import read_psm
from wordsight.models.charset import with_charset
from wordsight.models.clip4str import Clip4Str
from wordsight.models.clip4str.graphs import TorchGraphs
from wordsight.text import Charset


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
    found, _ = read_psm(TorchGraphs(model), images, model.cfg.psm)
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
