"""Pages of running words: repeatable, with their words where they are said to be."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from wordsight.data.scenes import read_scenes
from wordsight.errors import ConfigError
from wordsight.imaging import rectify
from wordsight_research.cli.main import app
from wordsight_research.places.pages import SIZE, RenderedPages
from wordsight_research.places.words import WORDS


def test_a_page_is_a_function_of_seed_and_number(few_fonts: Path) -> None:
    first, again = (RenderedPages(3, 1, fonts=[few_fonts]) for _ in range(2))
    assert first[2].read() == again[2].read() != first[1].read()
    with pytest.raises(ConfigError, match="wear"):
        RenderedPages(3, wear=2, fonts=[few_fonts])


def test_words_are_where_they_are_said_to_be(few_fonts: Path) -> None:
    source = RenderedPages(3, 2, wear=0, fonts=[few_fonts])
    for i in range(3):
        page = source[i]
        pixels = page.load()
        assert len(page.words) > 50
        assert {word.text.lower() for word in page.words} <= set(WORDS[source.place(i)])
        for word in page.words:
            assert (word.polygon >= 0).all()
            assert (word.polygon <= SIZE).all()
            strip = rectify(pixels, word.polygon).astype(np.float32)
            assert np.percentile(strip, 95) - np.percentile(strip, 2) > 35, word  # ink on paper
        # Boxes touch at most at their edges: nothing is written over another word.
        boxes = np.array([[*word.polygon.min(0), *word.polygon.max(0)] for word in page.words])
        middles = (boxes[:, :2] + boxes[:, 2:]) / 2
        inside = (middles[:, None] > boxes[None, :, :2]).all(-1) & (middles[:, None] < boxes[None, :, 2:]).all(-1)
        assert inside.sum() == len(boxes)


def test_a_dial_at_zero_mixes_all_words(few_fonts: Path) -> None:
    source = RenderedPages(1, 3, informative=0, fonts=[few_fonts])
    own = np.mean([word.text.lower() in WORDS[source.place(0)] for word in source[0].words])
    assert source.information == pytest.approx(0, abs=1e-9)
    assert own < 0.25  # one of twelve lists


def test_the_command_writes_pages(tmp_path: Path, few_fonts: Path) -> None:
    out = tmp_path / "pages"
    result = CliRunner().invoke(app, ["pages", "--out", str(out), "--count", "2", "--fonts", str(few_fonts)])
    assert result.exit_code == 0, result.output
    assert "2 pages, each of which reveals 3.58 bits about a word" in result.output
    pages = read_scenes(out)
    assert [page.dataset for page in pages] == ["pages", "pages"]
    assert pages[1].read() == RenderedPages(2, fonts=[few_fonts])[1].read()
