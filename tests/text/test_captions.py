import random
import string

import numpy as np
import pytest

from wordsight.errors import ModelError
from wordsight.text import CharCaptions, Charset, CharTokenizer, ClipCaptions, ClipTokenizer

reference = pytest.importorskip("instant_clip_tokenizer", reason="has no wheels for this Python")


def generated_words(count: int) -> list[str]:
    """Syllables and noise: common, rare and impossible words, of 0 to 40 characters."""
    rng = random.Random(0)
    letters = string.ascii_letters + string.digits + string.punctuation
    syllables = [c + v + end for c in "bcdfghklmnprstvw" for v in "aeiou" for end in ("", "n", "r", "st", "ng")]
    words = ["".join(rng.choices(syllables, k=rng.randrange(1, 6))) for _ in range(count // 2)]
    return words + ["".join(rng.choices(letters, k=rng.randrange(41))) for _ in range(count - len(words))]


def differences(words):
    ours = ClipTokenizer().encode(words, 77)
    theirs = reference.Tokenizer().tokenize_batch(words, context_length=77)
    return [word for word, a, b in zip(words, ours, theirs, strict=True) if a.tolist() != b.tolist()]


def test_bpe_equals_the_reference_on_generated_words():
    assert differences(generated_words(30_000)) == []
    assert differences(["Ünïcödé straße", "日本語テスト", " two  words ", "it's", "don't", "", "a" * 200]) == []


@pytest.mark.data
def test_bpe_equals_the_reference_on_real_words(real_data):
    words = (real_data / "corpora" / "icdar_generic_vocabulary_90k.txt").read_text(encoding="utf-8").split("\n")
    assert differences(random.Random(1).sample(words, 30_000)) == []


def test_clip_captions_are_lower_case_letters_and_digits():
    tokens, lengths = ClipCaptions().encode(["Chicken!", "CHICKEN", "", "1234567890123456", "!", "CHÍCKEN"])
    assert tokens.shape == (6, 16)
    assert tokens[0].tolist() == tokens[1].tolist() == tokens[5].tolist() == [49406, 3717, 49407] + [0] * 13  # spec 9
    assert tokens[2].tolist() == tokens[4].tolist() == [49406, 49407] + [0] * 14
    assert (tokens[3] != 0).all()  # a digit is a token, so 14 of them fit
    assert tokens[3, -1] == 49407
    assert lengths.tolist() == [16] * 6


def test_char_captions_are_cut_and_padded():
    ids = CharTokenizer(Charset("abc", "abc"))
    tokens, lengths = CharCaptions(ids, 2).encode(["abc", "c"])
    assert tokens.tolist() == [[ids.bos, 1, 2, ids.eos], [ids.bos, 3, ids.eos, ids.pad]]
    assert lengths.tolist() == [4, 3]


def test_a_tokenizer_file_is_read_plain_and_refused_in_one_line(tmp_path):
    plain = tmp_path / "tokenizer.json"
    plain.write_bytes(ClipTokenizer().json())
    assert np.array_equal(ClipTokenizer(plain).encode(["exit 12"], 8), ClipTokenizer().encode(["exit 12"], 8))
    for content in (b"{}", b"\x1f\x8bbroken"):
        broken = tmp_path / f"{len(content)}.json"
        broken.write_bytes(content)
        with pytest.raises(ModelError, match=broken.name):
            ClipTokenizer(broken).encode(["x"], 8)
    with pytest.raises(ModelError, match="missing"):
        ClipTokenizer(tmp_path / "missing.json").encode(["x"], 8)
