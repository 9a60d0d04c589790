import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_runs import tiny_config

from wordsight.data import Sample
from wordsight.decoding.ctc import alignment, probability
from wordsight.errors import ConfigError
from wordsight.models.clip4str import Clip4Str
from wordsight.train.letters import HEIGHT, find_letters

BLANK = 0


def best_path(columns, ids):
    """By trying all of them."""
    best = (-np.inf, ())
    for path in itertools.product(range(columns.shape[1]), repeat=len(columns)):
        spelled = [c for i, c in enumerate(path) if c != BLANK and (i == 0 or path[i - 1] != c)]
        if spelled == list(ids):
            best = max(best, (float(sum(columns[t, c] for t, c in enumerate(path))), path))
    return best


@pytest.mark.parametrize("ids", [[1], [2, 1], [1, 1], [1, 2, 1], [2, 2, 2]])
def test_alignment_is_the_likeliest_path(ids):
    rng = np.random.default_rng(len(ids))
    for _ in range(10):
        columns = np.log(rng.dirichlet(np.ones(3) * 0.5, size=6) + 1e-9)
        places, likelihood = alignment(columns, np.array(ids), BLANK)
        wanted, path = best_path(columns, ids)
        assert likelihood == pytest.approx(wanted)
        runs = [list(run) for c, run in itertools.groupby(range(6), key=lambda t: path[t]) if c != BLANK]
        assert places.tolist() == [pytest.approx(np.mean(run)) for run in runs]
        assert likelihood <= np.log(probability(np.exp(columns), np.array(ids), BLANK)) + 1e-9


def test_too_few_columns():
    _, likelihood = alignment(np.log(np.full((2, 3), 1 / 3)), np.array([1, 1]), BLANK)
    assert likelihood == -np.inf


class Stripes:
    """Reads crops of eight stripes: how bright one is is the class that it shows."""

    training = False
    cfg = tiny_config()

    def train(self, mode=True):
        self.training = mode

    def eval(self):
        self.training = False

    def encode(self, images):
        rows, columns = self.cfg.image.grid
        bright = torch.nn.functional.adaptive_avg_pool2d(images.mean(1, keepdim=True), (rows, columns))
        return (bright.flatten(1)[..., None] + 1) / 2 * 255

    def ctc_head(self, memory):
        classes = self.cfg.tokenizer.num_classes
        return 20 * torch.nn.functional.one_hot(memory[..., 0].round().long(), classes).float()


def crop(text, stripes, height=32, width=128):
    ids = [Stripes.cfg.tokenizer.ids(char)[0] if char != "." else Stripes.cfg.tokenizer.eos for char in stripes]
    image = np.repeat(np.array(ids, np.uint8), width // len(ids))[None, :, None].repeat(height, 0).repeat(3, 2)
    return Sample(stripes, image, text)


def test_letters_are_found_between_their_stripes():
    model = Stripes()
    model.training = True
    samples = [
        crop("abb", ".a.b.b.."),
        crop("abb", ".a.b.c.."),  # read otherwise
        crop("cab", "cc.a..bb", 3 * HEIGHT, 384),
        crop("a", "...a...."),
        crop("ab", ".a....b.", 256, 128),  # tall
        crop("a b", ".a....b."),
    ]
    first, second = find_letters(model, Listed(samples))
    assert model.training  # as before
    assert (first.text, first.edges.tolist()) == ("abb", [8, 40, 72, 104])
    assert first.image is samples[0].image
    assert (second.text, second.image.shape) == ("cab", (HEIGHT, 128, 3))
    assert second.edges.tolist() == [0, 36, 84, 128]


class Listed(list):
    def text(self, i):
        return self[i].text


def test_without_a_ctc_head():
    for model in (Clip4Str(replace(tiny_config(), ctc_weight=0.0)), torch.nn.Identity()):  # of another kind
        with pytest.raises(ConfigError, match="ctc_weight"):
            find_letters(model, Listed())
