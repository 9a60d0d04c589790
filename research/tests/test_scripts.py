"""Words beyond ASCII, set in the fonts that can draw them."""

import pickle
import random
from pathlib import Path

import numpy as np
import pytest

from wordsight.errors import DataError
from wordsight_research.places.scenes import RenderedScenes
from wordsight_research.places.scripts import LatinHand, ScriptHand, hand_for


def test_ascii_words_need_no_search(few_fonts: Path) -> None:
    hand = hand_for(["tea", "50%"], [few_fonts])
    assert isinstance(hand, LatinHand)
    mask = hand.write(random.Random(1), "tea").mask
    assert mask.max() > 200
    assert np.array_equal(pickle.loads(pickle.dumps(hand)).write(random.Random(1), "tea").mask, mask)


def test_a_word_that_no_font_draws_is_refused_by_name(few_fonts: Path) -> None:
    with pytest.raises(DataError, match=r"no font found that can draw 'a\\u0378b'"):
        ScriptHand(["a\u0378b"], [few_fonts])  # never assigned: drawn as a box, if at all
    with pytest.raises(DataError, match="no such folder"):
        ScriptHand(["a"], [few_fonts / "none"])


def test_accents_and_cyrillic(few_fonts: Path) -> None:
    vocabularies = {"cafe": ("thé", "crème"), "station": ("поезд", "вокзал")}
    try:
        source = RenderedScenes(6, 1, vocabularies=vocabularies, fonts=[few_fonts], wear=0)
    except DataError:
        pytest.skip("none of these fonts draws é and д")
    texts = {w.text.lower() for i in range(6) for w in source[i].words}
    assert texts == {word for words in vocabularies.values() for word in words}
    hand = hand_for(["поезд", "поезда"], [few_fonts])
    short, long = (hand.write(random.Random(3), word).mask for word in ("поезд", "поезда"))
    assert long.shape[1] > 1.05 * short.shape[1]
    assert short.max() > 200
