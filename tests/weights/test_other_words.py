"""A photograph's other words as context: which are told, and how."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch

from wordsight.decoding import Reading
from wordsight.errors import ConfigError
from wordsight.models.clip4str import Clip4Str
from wordsight.models.clipter.encoders import load_encoder
from wordsight.models.reading import TorchRecognizer
from wordsight.weights.other_words import MOST, SURE, OtherWords

sys.path.append(str(Path(__file__).parents[1] / "models"))  # small_models
from small_models import small_config


@dataclass
class Word:
    polygon: np.ndarray
    legible: bool = True


@dataclass
class Photo:
    words: list
    digest: str = "a photo"
    loads: list = field(default_factory=list)

    def load(self):
        self.loads.append(1)
        return np.random.default_rng(0).integers(0, 256, (60, 400, 3), dtype=np.uint8)


def box(x, width=20):
    return np.array([(x, 10), (x + width, 10), (x + width, 20), (x, 20)], float)


@pytest.fixture
def others():
    torch.manual_seed(0)
    return OtherWords(Clip4Str(small_config()))


@pytest.fixture
def read_as(monkeypatch):
    """Crops are read as these texts with these confidences, in turn."""

    def give(*pairs):
        queue = list(pairs)
        monkeypatch.setattr(
            TorchRecognizer,
            "read",
            lambda _self, images, _scenes=None: [
                Reading(text, sure, np.full(len(text), sure)) for text, sure in (queue.pop(0) for _ in images)
            ],
        )

    return give


def embedded(others, text):
    """By the text tower, at the end token, as CLIP does."""
    tokens = torch.from_numpy(others.start.caption_tokenizer.encode([text])[0])
    end = tokens[0].tolist().index(others.start.tokenizer.eos)
    with torch.no_grad():
        return others.start.text_tower(tokens)[0, end]


def test_the_surest_other_words_and_their_mean(others, read_as):
    photo = Photo([Word(box(30 * k)) for k in range(5)])
    read_as(("abc", 0.95), ("bad", SURE - 0.01), ("", 1.0), ("hide", 0.99), ("face", 0.97))
    abc, hide, face = (embedded(others, text) for text in ("abc", "hide", "face"))
    told = others.tokens(photo, 4)
    assert told.shape == (1 + MOST, others.width)
    torch.testing.assert_close(told[0], (hide + abc) / 2)
    torch.testing.assert_close(told[1:], torch.stack([hide, abc] * (MOST // 2)))
    torch.testing.assert_close(others.tokens(photo, 0)[1], hide)
    torch.testing.assert_close(others.tokens(photo, 3)[1], face)
    assert len(photo.loads) == 1  # read once
    others.forget()
    read_as(*[("abc", 0.95)] * 5)
    torch.testing.assert_close(others.tokens(photo, 4)[0], abc)
    assert len(photo.loads) == 2


def test_nothing_is_told_of_a_word_alone(others, read_as):
    photo = Photo([Word(box(0)), Word(box(30), legible=False), Word(box(0, 0))])
    read_as(("abc", 0.95))
    assert others.tokens(photo, 0) is None
    assert others.tokens(photo, 1) is not None
    assert others.tokens(Photo([], "none"), 0) is None


def test_at_most_eight(others, read_as):
    photo = Photo([Word(box(20 * k)) for k in range(12)])
    read_as(*(("abcdefghij"[k % 10], 0.9 + k / 200) for k in range(12)))
    told = others.tokens(photo, 11)
    torch.testing.assert_close(told[1], embedded(others, "a"))  # number 10, the surest but for the word itself
    torch.testing.assert_close(told[MOST], embedded(others, "d"))


def test_where_nothing_is_outlined_it_is_refused(others, tmp_path):
    with pytest.raises(ConfigError, match="only `eval`"):
        others.encode([np.zeros((9, 9, 3), np.uint8)])
    with pytest.raises(ConfigError, match="words are outlined"):
        load_encoder(f"words:{tmp_path}")
