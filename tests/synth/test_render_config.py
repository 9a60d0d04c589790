"""The settings do what their names say, and refuse what cannot be."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from wordsight.errors import ConfigError
from wordsight.imaging import Preprocessing, prepare
from wordsight.synth.config import TEXTS, RenderConfig
from wordsight.synth.words import RenderedWords
from wordsight.text import Charset

# Everything off but words, level and clear.
PLAIN = RenderConfig(**{field.name: 0.0 for field in fields(RenderConfig) if field.name != "photo_nearest"})
SETTINGS = [field.name for field in fields(RenderConfig) if field.type is float or field.type == "float"]


@pytest.mark.parametrize("values", [{"photo": -0.1}, {"shade": 1.5}, {"steep": 0.6, "tilted": 0.6}, {"empty": 1.0}])
def test_impossible_values_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(values))):
        replace(RenderConfig(), **values)


def test_unknown_knobs_are_named() -> None:
    assert RenderConfig().with_settings(["glare=0.5", "small=1"]) == replace(RenderConfig(), glare=0.5, small=1.0)
    for setting in ("gloss=0.5", "glare=much", "glare", "glare=2"):
        with pytest.raises(ConfigError, match="gl"):
            RenderConfig().with_settings([setting])


def _crops(fonts: Path, count: int = 24, **values: float) -> list[np.ndarray]:
    return [s.image for s in RenderedWords(seed=3, fonts=fonts, config=replace(PLAIN, **values)).many(range(count))]


_WITH = {
    "noise_level": {"noisy": 1.0},
    "smoothed": {"noisy": 1.0},
    "blur_limit": {"defocus": 1.0},
    "negative": {"toned": 1.0},
    "defocus": {"blur_limit": 0.05},
}


@pytest.mark.parametrize(
    "setting", [k for k in SETTINGS if k not in (*TEXTS, "latin", "punctuated", "photo", "wall", "photo_nearest")]
)
def test_every_knob_changes_pictures(few_fonts: Path, setting: str) -> None:
    others = _WITH.get(setting, {})
    strong = {"noise_level": 40.0, "blur_limit": 0.2}.get(setting, 1.0)
    before, after = _crops(few_fonts, **others), _crops(few_fonts, **others, **{setting: strong})
    same = sum(a.shape == b.shape and np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert same < 16  # some fonts have no other face, some words are too short to curl


def test_upside_down_is_upside_down(few_fonts: Path) -> None:
    spec = Preprocessing()
    level, turned = (
        prepare(_crops(few_fonts, **v), spec) for v in ({"tight": 1.0}, {"tight": 1.0, "upside_down": 1.0})
    )
    stood, lay = (
        np.array([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(level, others, strict=True)])
        for others in (turned, turned[:, :, ::-1, ::-1])
    )
    assert np.mean(lay > stood) > 0.7
    assert np.mean(lay) > 0.4 > np.mean(stood)


def test_stacks_are_high_and_lines_are_wide(few_fonts: Path) -> None:
    stacks, lines = _crops(few_fonts, stacks=1.0), _crops(few_fonts)
    assert np.median([c.shape[0] / c.shape[1] for c in stacks]) > 2
    assert np.median([c.shape[0] / c.shape[1] for c in lines]) < 0.7


@pytest.mark.parametrize("kind", TEXTS)
def test_every_kind_of_text_can_be_had_alone(few_fonts: Path, kind: str) -> None:
    others = dict.fromkeys(TEXTS, 0.0)
    source = RenderedWords(seed=1, fonts=few_fonts, config=replace(RenderConfig(), **{**others, kind: 1.0}))
    texts = [source.text(i) for i in range(60)]
    expected = {
        "empty": lambda t: not t,
        "phrases": lambda t: " " in t,
        "plates": lambda t: any(c.isdigit() for c in t) and any(c.isupper() for c in t),
        "phones": lambda t: sum(c.isdigit() for c in t) >= 7,
        "times": lambda t: sum(c.isdigit() for c in t) >= 3,
        "addresses": lambda t: "." in t or t[0] in "#@/",
        "letters": lambda t: t.isalnum(),
    }.get(kind, bool)
    assert all(expected(text) for text in texts)
    assert kind == "empty" or len(set(texts)) > 20


def test_latin_letters_are_written_where_a_font_has_them(few_fonts: Path) -> None:
    source = RenderedWords(seed=1, fonts=few_fonts, config=replace(RenderConfig(), latin=0.5))
    texts = [source.text(i) for i in range(400)]
    charset = Charset.preset("latin")
    assert not any(charset.unknown(text) for text in texts)
    assert 0.25 < np.mean([not text.isascii() for text in texts]) < 0.55
    number = next(i for i in range(400) if not texts[i].isascii())
    assert source[number].image.std() > 3
