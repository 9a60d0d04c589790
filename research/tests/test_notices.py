"""Whole pictures of signs, receipts, price tags, displays and stamps."""

import re
from pathlib import Path

import numpy as np
import pytest

from wordsight.errors import ConfigError
from wordsight_research.places.notices import NOTICES, RenderedNotices


@pytest.mark.parametrize("kind", NOTICES)
def test_lines_are_where_they_are_said_to_be(few_fonts: Path, kind: str) -> None:
    source = RenderedNotices(kind, 5, [few_fonts], held_out=None)
    for i in range(3):
        scene = source[i]
        height, width = scene.image.shape[:2]
        assert scene.words
        for word in scene.words:
            (x0, y0), (x1, y1), (x2, y2), (x3, y3) = word.polygon
            left, right, top, bottom = max(x0, x3), min(x1, x2), max(y0, y1), min(y2, y3)
            assert -2 <= left < right <= width + 2
            assert -2 <= top < bottom <= height + 2
            inside = scene.image[max(0, round(top)) : round(bottom), max(0, round(left)) : round(right)]
            assert inside.mean(2).std() > 8  # ink and ground
        assert np.array_equal(source[i].image, scene.image)


def test_rows_of_receipts_are_item_and_amount(few_fonts: Path) -> None:
    scene = RenderedNotices("receipts", 1, [few_fonts], held_out=None)[0]
    rows = scene.words[1:-1]
    assert len(rows) >= 4
    assert all(re.search(r"\S .*\d[.,]\d\d", row.text) for row in rows)
    rights = [row.polygon[1][0] for row in rows]
    assert max(rights) - min(rights) < 0.05 * scene.image.shape[1]  # aligned on the right


def test_there_is_no_such_kind(few_fonts: Path) -> None:
    with pytest.raises(ConfigError, match="'letters'"):
        RenderedNotices("letters", 0, [few_fonts])
