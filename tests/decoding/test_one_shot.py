from types import SimpleNamespace

import numpy as np
import pytest

from wordsight.decoding import Settings
from wordsight.decoding.one_shot import ONE_SHOT
from wordsight.text import Charset, CharTokenizer

SPEC = SimpleNamespace(tokenizer=CharTokenizer(Charset("abc", "abc")), max_length=3)


def read(logits, **options):
    images = np.zeros((len(logits), 3, 4, 4), np.float32)
    engine = SimpleNamespace(run=lambda name, images, context: (logits[: len(images)],), numpy=lambda array: array)
    return ONE_SHOT.read(engine, images, SPEC, Settings(**options))


def test_reads_up_to_the_first_end():
    p = np.full((3, 4, 4), 0.1)
    for row, spelled in enumerate(("ab--", "-cab", "abca")):
        for position, character in enumerate(spelled):
            p[row, position, "-abc".index(character)] = 0.7
    found = read(np.log(p).astype(np.float32))
    assert [f.text for f in found] == ["ab", "", "abca"]
    assert [f.confidence for f in found] == pytest.approx([0.7**3, 0.7, 0.7**4], rel=1e-5)
    assert all(len(c.alternatives) == 3 for f in found for c in f.chars)


def test_rows_do_not_depend_on_each_other():
    logits = np.random.default_rng(1).normal(size=(5, 4, 4)).astype(np.float32)
    assert read(logits, temperature=1.5) == [read(logits[i : i + 1], temperature=1.5)[0] for i in range(5)]
    assert read(logits[:0]) == []
