"""Texts and word lists."""

import random
from collections import Counter
from pathlib import Path

import pytest

from wordsight.errors import DataError
from wordsight.synth.kinds import Texts
from wordsight.synth.vocabulary import load_words


def test_lists_with_counts_comments_and_entities(tmp_path: Path) -> None:
    file = tmp_path / "words.tsv"
    file.write_text("# a comment\nB&amp;Q\t100\nSTOP\t400\n#hashtag\t1\nna\u00efve\t3\n" + "x" * 41 + "\t2\n\n")
    words = load_words(file)
    assert set(words.words) == {"B&Q", "STOP", "#hashtag"}
    rng = random.Random(0)
    drawn = Counter(words.draw(rng) for _ in range(3000))
    assert 1.6 < drawn["STOP"] / drawn["B&Q"] < 2.5  # the square root of the counts
    assert drawn["#hashtag"] > 0


def test_plain_lists(tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_text("zyzzyva\nquokka\n")
    rng = random.Random(0)
    texts = [Texts([file]).draw(rng, "street").lower() for _ in range(200)]
    assert sum("zyzzyva" in t or "quokka" in t for t in texts) > 80


@pytest.mark.parametrize("content", [b"", b"# only comments\n", b"word\tmany\n", b"\xff\xfe\x00"])
def test_useless_lists_are_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "list.txt"
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"list\.txt"):
        load_words(file)
