"""From letters of ASCII to those of Latin-1, in a recipe and from a trained checkpoint."""

from pathlib import Path

import pytest
import torch
from test_recipes import parsed

from wordsight.errors import ConfigError
from wordsight.models import checkpoint
from wordsight.text import Charset
from wordsight.train.config import ArchitectureConfig
from wordsight.train.start import starting_model
from wordsight.weights.starts import checkpoint_folder

RECIPE = Path(__file__).parents[2] / "recipes" / "clip4str" / "small.yaml"
LATIN = Charset.preset("latin")


def test_a_recipe_names_its_charset():
    model = parsed(RECIPE, "--model.architecture.charset=latin").model.model
    assert model.cfg.charset == LATIN
    assert model.visual_decoder.head.out_features == model.ctc_head.out_features == len(LATIN) + 1 == 158
    assert model.cfg.text.vocab_size == len(LATIN) + 3


def test_a_recipe_still_lists_characters():
    flags = ("--model.architecture.charset.name=few", "--model.architecture.charset.characters=abcé")
    assert parsed(RECIPE, *flags).model.model.cfg.charset == Charset("few", "abcé")


def test_a_shipped_model_goes_on_with_more_letters(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    start = checkpoint_folder("small")
    old, _ = checkpoint.load(start)
    new = starting_model("clip4str-small", start, ArchitectureConfig("latin"))
    assert new.cfg.charset == LATIN
    rows = len(old.cfg.charset) + 1
    ours = new.state_dict()
    for name, table in old.state_dict().items():
        kept = ours[name] if ours[name].shape == table.shape else ours[name][:rows]
        assert torch.equal(kept, table[: len(kept)]), name
    grown = {name for name, table in old.state_dict().items() if ours[name].shape != table.shape}
    assert {name.split(".")[0] for name in grown} == {"visual_decoder", "cross_decoder", "text_tower", "ctc_head"}


def test_an_unknown_charset_is_refused():
    with pytest.raises(ConfigError, match="no charset is called 'latin-9': choose one of 36"):
        starting_model("clip4str-tiny", None, ArchitectureConfig("latin-9"))
