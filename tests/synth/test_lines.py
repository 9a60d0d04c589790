"""Rendered words and lines of their own shape."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from wordsight.data.sample import Sample
from wordsight.errors import ConfigError
from wordsight.synth.lines import LOOKS, SHARES, RenderedLines


@pytest.fixture(scope="module")
def source(few_fonts: Path) -> RenderedLines:
    return RenderedLines(seed=7, fonts=few_fonts, held_out=None)


@pytest.fixture(scope="module")
def samples(source: RenderedLines) -> list[Sample]:
    return source.many(range(300))


def test_a_sample_depends_on_nothing_else_in_its_batch(source: RenderedLines, samples: list[Sample]) -> None:
    for i in (0, 7, 41, 123, 299):
        assert np.array_equal(source[i].image, samples[i].image)
    again = pickle.loads(pickle.dumps(source))
    assert np.array_equal(again[41].image, samples[41].image)
    assert len(pickle.dumps(source)) < 12_000_000  # words are taken along, glyphs are not


def test_labels_need_no_rendering(source: RenderedLines, samples: list[Sample]) -> None:
    assert [source.text(i) for i in range(300)] == [sample.text for sample in samples]
    assert [source.kind(i) for i in range(300)] == [sample.dataset for sample in samples]


def test_crops_keep_their_shape(samples: list[Sample]) -> None:
    shapes = [sample.image.shape for sample in samples]
    assert all(8 <= h <= 48 and 8 <= w <= 1280 and c == 3 for h, w, c in shapes)
    assert all(sample.image.dtype == np.uint8 for sample in samples)

    def ratio(low: int, high: int) -> float:
        found = [s.image.shape[1] / s.image.shape[0] for s in samples if low <= len(s.text) <= high]
        return float(np.median(found))

    assert ratio(25, 64) > 2 * ratio(5, 10) > 2 * ratio(1, 4)


def test_something_is_to_be_seen(samples: list[Sample]) -> None:
    spreads = [float(sample.image.astype(np.float32).mean(2).std()) for sample in samples if sample.text]
    assert min(spreads) > 1
    assert np.mean([spread > 6 for spread in spreads]) > 0.95


def test_all_kinds_are_drawn(source: RenderedLines) -> None:
    kinds = {source.kind(i) for i in range(3000)}
    assert kinds == {*SHARES}


@pytest.mark.parametrize("look", LOOKS)
def test_every_look_renders(few_fonts: Path, look: str) -> None:
    kind = {"dots": "stamps", "segments": "displays"}.get(look, "prices")
    source = RenderedLines(fonts=few_fonts, shares={kind: 1.0}, looks={look: LOOKS[look]}, held_out=None)
    crops = source.many(range(12))
    assert all(crop.image.std() > 1 for crop in crops)
    assert all(crop.dataset == kind and crop.text for crop in crops)


def test_other_characters_are_not_drawn(few_fonts: Path) -> None:
    source = RenderedLines(fonts=few_fonts, shares={"prices": 1.0}, characters="0123456789.,$ ", held_out=None)
    assert all(set(source.text(i)) <= set("0123456789.,$ ") for i in range(100))


def test_mistakes_are_named(few_fonts: Path) -> None:
    with pytest.raises(ConfigError, match="'smells'"):
        RenderedLines(fonts=few_fonts, shares={"smells": 1.0})
    with pytest.raises(ConfigError, match="above 0"):
        RenderedLines(fonts=few_fonts, shares={"signs": 0.0})
