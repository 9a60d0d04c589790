import numpy as np
import torch

from wordsight.models.clip import Clip, ClipConfig
from wordsight.models.config import ImageTowerConfig, TextTowerConfig
from wordsight.models.reranking import rerank, sample_readings
from wordsight.text import Charset, CharTokenizer, ClipTokenizer

TOKENIZER = CharTokenizer(Charset("abc", "abc"))


def logits(*rows):
    """Rows of probabilities of [E], a, b, c."""
    return np.log(np.array(rows, np.float32))


def test_draws_have_the_probabilities_of_their_characters():
    x = logits([0.1, 0.6, 0.2, 0.1], [0.5, 0.1, 0.3, 0.1], [0.7, 0.1, 0.1, 0.1])
    found = sample_readings(x, TOKENIZER, 2000, np.random.default_rng(0))
    assert next(iter(found)) == "a"
    np.testing.assert_allclose(np.exp(found["a"]), 0.6 * 0.5, rtol=1e-5)
    np.testing.assert_allclose(np.exp(found["bb"]), 0.2 * 0.3 * 0.7, rtol=1e-5)
    np.testing.assert_allclose(np.exp(found[""]), 0.1, rtol=1e-5)
    assert len(found) > 20


def test_only_the_likeliest_without_draws():
    x = logits([0.1, 0.7, 0.1, 0.1], [0.7, 0.1, 0.1, 0.1])
    assert list(sample_readings(x, TOKENIZER, 0, np.random.default_rng(0))) == ["a"]


def test_clip_decides_between_equally_likely_readings():
    torch.manual_seed(0)
    sizes = ImageTowerConfig(16, 16, patch=(8, 8), width=16, layers=1, heads=2), TextTowerConfig(49408, 16, 16, 1, 2)
    clip = Clip(ClipConfig(*sizes, 16)).eval()
    image = torch.randn(3, 16, 16)
    readings = dict.fromkeys(("exit", "exif", "axit"), -1.0)
    with torch.inference_mode():
        text = torch.from_numpy(ClipTokenizer().encode(list(readings), 16))
        expected = [list(readings)[i] for i in clip(image[None], text)[0].argsort(descending=True)]
    assert [text for text, _ in rerank(clip, image, readings)] == expected
    surest = readings | {expected[-1]: 0.0}
    assert rerank(clip, image, surest, weight=0)[0] == (expected[-1], 0.0)
