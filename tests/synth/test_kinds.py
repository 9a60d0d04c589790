"""Texts by kind: each is what its name says, and of the characters that the Latin charset writes."""

import ipaddress
import random
import re
import unicodedata

import pytest

from wordsight.synth import languages
from wordsight.synth.figures import FIGURES
from wordsight.synth.fonts import LATIN, LETTERS
from wordsight.synth.kinds import KINDS, LONGEST, Texts
from wordsight.synth.languages import LANGUAGES, upper

_ASCII = set(map(chr, range(0x20, 0x7F)))


@pytest.fixture(scope="module")
def texts() -> Texts:
    return Texts()


def _drawn(texts: Texts, kind: str, count: int = 400) -> list[str]:
    rng = random.Random(f"{kind}/1")
    return [texts.draw(rng, kind) for _ in range(count)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_latin_and_not_too_long(texts: Texts, kind: str) -> None:
    found = _drawn(texts, kind)
    assert found == _drawn(texts, kind)
    assert set("".join(found)) <= _ASCII | set(LATIN)
    assert max(map(len, found)) <= LONGEST
    assert all(text == " ".join(unicodedata.normalize("NFC", text).split()) for text in found)
    assert kind == "street" or all(found)
    assert len(set(found)) > 150


def test_numbers_repeat_their_digits(texts: Texts) -> None:
    plain = [re.sub(r"\D", "", text) for text in _drawn(texts, "numbers")]
    assert {len(text) for text in plain} == set(range(6, 19))
    assert sum(bool(re.search(r"(\d)\1", text)) for text in plain) > 250
    assert sum(bool(re.search(r"(\d)\1\1", text)) for text in plain) > 100


def test_serials_mix_letters_with_digits_that_look_like_them(texts: Texts) -> None:
    found = _drawn(texts, "serials")
    assert sum(("0" in text and "O" in text) or ("1" in text and "I" in text) for text in found) > 150


def test_prices_have_every_currency_before_and_after(texts: Texts) -> None:
    found = _drawn(texts, "prices", 4000)
    for sign in "£€$¥₹₩₺₱₽₫₪":
        assert any(re.search(rf"(^|\s)\S*{re.escape(sign)} ?\d", text) for text in found), sign
    for sign in ("€", "zł", "Kč", "Ft", "kr", "₫", "₽", "₺", "CHF"):
        assert any(re.search(rf"\d ?{sign}", text) for text in found), sign


def test_lines_have_two_to_eight_words_and_sixty_characters(texts: Texts) -> None:
    for kind in ("lines", "accented_lines"):
        found = _drawn(texts, kind)
        assert {len(text.split()) for text in found} == set(range(2, 9))
        assert max(map(len, found)) >= 55
        assert min(map(len, found)) <= 10


def test_signs_are_capitals_with_thin_letters(texts: Texts) -> None:
    found = _drawn(texts, "signs")
    assert sum(text.isupper() for text in found) > 300
    assert sum(bool({*"IL"} & {*text}) for text in found) > 300
    assert max(len(text.split()) for text in found) >= 4


def test_long_words_are_one_word_of_eleven_to_forty(texts: Texts) -> None:
    lengths = {len(text) for text in _drawn(texts, "long") if " " not in text}
    assert min(lengths) >= 11
    assert max(lengths) >= 38
    assert len(lengths) > 25


def test_addresses_are_addresses(texts: Texts) -> None:
    mails = _drawn(texts, "emails")
    assert all(re.fullmatch(r"[\w.-]+@[\w.-]+\.[a-z.]+", text.lower()) for text in mails)
    numbers = [text.partition(":")[0].partition("/")[0] for text in _drawn(texts, "ips")]
    fours = [text for text in numbers if text.count(".") == 3 and text[0].isdigit()]
    assert len(fours) > 200
    assert all(ipaddress.IPv4Address(text) for text in fours)


def test_accented_words_come_in_all_letters(texts: Texts) -> None:
    found = _drawn(texts, "accented", 20000)
    assert not any(text.isascii() for text in found)
    seen = set("".join(found))
    assert {letter for letter in LETTERS if letter.islower()} <= seen
    assert len(set(LETTERS) & seen) > 0.95 * len(LETTERS)


def test_capitals_follow_the_language() -> None:
    assert upper("diyarbakır", "tr") == "DİYARBAKIR"
    assert upper("titlis") == "TITLIS"
    assert upper("đường", "vi") == "ĐƯỜNG"


def test_words_are_of_the_language() -> None:
    rng = random.Random(3)
    german = {languages.word(rng, "de").lower() for _ in range(3000)}
    assert {"und", "der", "für"} <= german
    codes = {languages.accented(rng)[1] for _ in range(400)}
    assert {"vi", "de", "fr"} <= codes <= {*LANGUAGES}
    assert len(LANGUAGES) == len(set(LANGUAGES)) == 25


def test_displays_show_points_and_colons() -> None:
    rng = random.Random(1)
    found = [FIGURES["displays"](rng) for _ in range(500)]
    assert sum("." in text for text in found) > 150
    assert sum(":" in text for text in found) > 50
