"""Rendered words: the same for a seed everywhere, labelled as promised, never blank."""

import hashlib
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from wordsight.data.sample import Sample
from wordsight.errors import DataError
from wordsight.synth.config import RenderConfig
from wordsight.synth.words import RenderedWords
from wordsight.text import Charset

_DIGEST = """
import hashlib, sys
from wordsight.synth.words import RenderedWords
source = RenderedWords(seed=7, fonts=sys.argv[1])
digest = hashlib.sha256()
for i in (3, 1000, 12, 2**40):
    digest.update(source[i].image.tobytes() + source[i].text.encode())
print(digest.hexdigest())
"""


@pytest.fixture(scope="module")
def source(few_fonts: Path) -> RenderedWords:
    return RenderedWords(seed=7, fonts=few_fonts)


@pytest.fixture(scope="module")
def samples(source: RenderedWords) -> list[Sample]:
    return source.many(range(1000))


def test_a_sample_is_a_function_of_seed_and_index(source: RenderedWords, few_fonts: Path) -> None:
    digest = hashlib.sha256()
    for i in (2**40, 12, 1000, 3)[::-1]:
        assert source[i].image.tobytes() == source[i].image.tobytes()
    for i in (3, 1000, 12, 2**40):
        digest.update(source[i].image.tobytes() + source[i].text.encode())
    other = subprocess.run([sys.executable, "-c", _DIGEST, str(few_fonts)], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == digest.hexdigest()


def test_pickled_sources_render_the_same(source: RenderedWords) -> None:
    copy = pickle.loads(pickle.dumps(source))
    assert np.array_equal(copy[5].image, source[5].image)
    assert len(pickle.dumps(source)) < 2_000_000  # glyphs and pictures stay behind


def test_seeds_differ(source: RenderedWords, few_fonts: Path) -> None:
    other = RenderedWords(seed=8, fonts=few_fonts)
    assert [other.text(i) for i in range(50)] != [source.text(i) for i in range(50)]


def test_text_needs_no_rendering_and_is_the_label(source: RenderedWords, samples: list[Sample]) -> None:
    assert [source.text(i) for i in range(1000)] == [sample.text for sample in samples]


def test_labels_can_be_written_by_the_models(source: RenderedWords) -> None:
    charset = Charset.preset("94+space")
    texts = [source.text(i) for i in range(20000)]
    assert not any(charset.unknown(text) for text in texts)
    assert max(map(len, texts)) <= 40
    assert all(text == charset.normalize(text) for text in texts)
    assert set("".join(texts)) == set(charset.characters)


def test_the_mix_is_like_that_of_real_crops(source: RenderedWords) -> None:
    texts = [source.text(i) for i in range(20000)]
    words = [text for text in texts if text]
    assert 1 - len(words) / len(texts) == pytest.approx(RenderConfig().empty, abs=0.01)
    assert 0.05 < np.mean([" " in text for text in words]) < 0.15
    assert 0.25 < np.mean([text.isupper() and text.isalpha() for text in words]) < 0.6
    assert 0.1 < np.mean([text.istitle() and text.isalpha() for text in words]) < 0.4
    assert 4 <= np.median([len(text) for text in words]) <= 8


def test_crops_are_small_rgb_pictures(samples: list[Sample]) -> None:
    for sample in samples:
        assert sample.image.dtype == np.uint8
        assert sample.image.ndim == 3
        assert sample.image.shape[2] == 3
        assert 4 <= sample.image.shape[0] <= 400
        assert 4 <= sample.image.shape[1] <= 500


def test_no_two_crops_are_alike(samples: list[Sample]) -> None:
    pictures = {hashlib.sha256(s.image.tobytes()).digest() for s in samples if s.text}
    assert len(pictures) == sum(bool(s.text) for s in samples)


def test_crops_with_text_show_something(samples: list[Sample]) -> None:
    flat = [s.id for s in samples if s.text and s.image.astype(np.float32).std((0, 1)).max() < 2]
    assert len(flat) <= 1  # of 1,000


def test_backgrounds_come_from_the_folder(tmp_path: Path, few_fonts: Path) -> None:
    from PIL import Image

    Image.new("RGB", (200, 100), (255, 0, 255)).save(tmp_path / "wall.png")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 not a picture")
    with_wall = RenderedWords(seed=7, fonts=few_fonts, backgrounds=tmp_path)
    without = RenderedWords(seed=7, fonts=few_fonts)
    magenta = [
        sum(bool((np.abs(one.image.mean((0, 1)) - (230, 25, 230)) < 60).all()) for one in s.many(range(150)))
        for s in (with_wall, without)
    ]
    assert magenta[0] > magenta[1] + 5


def test_missing_inputs_are_one_line_errors(tmp_path: Path, few_fonts: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments in (
        {"fonts": tmp_path / "no-such-folder"},
        {"fonts": empty},
        {"fonts": few_fonts, "words": [tmp_path / "none.txt"]},
        {"fonts": few_fonts, "backgrounds": tmp_path / "no-such-folder"},
        {"fonts": few_fonts, "backgrounds": empty},
    ):
        with pytest.raises(DataError) as caught:
            RenderedWords(**arguments)  # type: ignore[arg-type]
        assert str(tmp_path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_index_out_of_range(few_fonts: Path) -> None:
    source = RenderedWords(count=3, fonts=few_fonts)
    assert len(source) == 3
    with pytest.raises(IndexError):
        source[3]
