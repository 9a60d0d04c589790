"""The miniature CLIP on words: towers of a recognizer that know which word is which, and recognizers from them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_words import LETTERS, ToyWords, picture, toy_model, write_words

from wordsight.errors import ConfigError
from wordsight.models import checkpoint
from wordsight.models.clip import Clip
from wordsight.models.clip4str import CLIP4STR_PRESETS, Clip4Str
from wordsight.models.clip4str import config as presets
from wordsight.train.start import starting_model
from wordsight_research.ablations.build import Scale, build
from wordsight_research.ablations.rows import TABLES
from wordsight_research.clip.training import Pretraining, new_clip, pretrain
from wordsight_research.clip.words import word_clip, word_pairs
from wordsight_research.clip.zeroshot import load_clip, match, relevance

CFG = toy_model().cfg


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A miniature CLIP of toy words, its folder, and what it came to."""
    folder = tmp_path_factory.mktemp("words")
    rng = np.random.default_rng(0)
    real = write_words(folder / "real", ["".join(rng.choice(list(LETTERS), 3)) for _ in range(40)])
    model = new_clip(word_clip(CFG), 0)
    pairs, held_out = word_pairs(model, ToyWords(LETTERS), ToyWords(LETTERS, 1), [real], 0.25, 16, 0)
    found = pretrain(model, pairs, held_out, Pretraining(120, 16, lr=3e-3, every=120), folder / "clip", {})
    return model, folder / "clip", found


def test_towers_have_the_recognizers_shape():
    cfg = word_clip(CFG)
    assert Clip(cfg).image_tower.cfg == CFG.image
    with pytest.raises(ConfigError, match="clip4str-tiny"):
        word_clip(CLIP4STR_PRESETS["clip4str-b16"])


def test_texts_are_spelled(trained):
    model, folder, _ = trained
    tokens = model.tokens(["ab", "abc€", "ABC"])  # the charset knows no capitals and no such sign
    assert tokens.tolist() == [[7, 1, 2, 0, 8], [7, 1, 2, 3, 0], [7, 1, 2, 3, 0]]
    longer = model.tokens(["ab", "abcd"])[:1]
    torch.testing.assert_close(model.encode_text(tokens[:1]), model.encode_text(longer))  # padding does not matter
    again, _ = checkpoint.load(folder)
    assert again.cfg == model.cfg


def test_it_tells_words_apart(trained):
    model, folder, found = trained
    assert set(found) == {"real", "rendered"}
    assert found["real"].pairs == 4
    assert found["rendered"].top > 10 * found["rendered"].chance
    assert found["rendered"].rank < 0.02
    clip = load_clip(folder)
    texts = ["abc", "fed", "ccd"]
    best = [max(match(clip, picture(text), texts), key=lambda one: one.probability).text for text in texts]
    assert best == texts
    maps = relevance(clip, picture("abc"), texts)
    assert maps.shape == (3, *model.cfg.image.grid)
    assert np.isfinite(maps).all()


def test_recognizers_start_from_it(trained, monkeypatch):
    model, folder, _ = trained
    monkeypatch.setitem(presets.CLIP4STR_PRESETS, "toy", CFG)
    monkeypatch.setattr("wordsight.models.registry.PRESETS", {"toy": (Clip4Str, CFG)})
    row = next(row for row in TABLES["freezing"] if row.name == "text 6")
    for recognizer in (build(row, Scale("toy", clip=folder)), starting_model("toy", folder)):
        ours = recognizer.state_dict()
        for name, tensor in model.state_dict().items():
            if name.startswith(("image_tower.", "text_tower.")):
                assert torch.equal(ours[name], tensor), name
        assert recognizer.cfg.captions == "characters"
        assert recognizer.cfg.std != CFG.std  # what the towers were told in pre-training
    other = replace(CFG, charset=replace(CFG.charset, name="other"))
    monkeypatch.setitem(presets.CLIP4STR_PRESETS, "other", other)
    with pytest.raises(ConfigError, match="pre-trained for"):
        build(row, Scale("other", clip=folder))
