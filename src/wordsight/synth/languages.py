"""Words of languages in Latin script, from the package `wordfreq`: the common ones more often."""

import random
import string
import unicodedata
from bisect import bisect
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from itertools import accumulate

from wordsight.errors import ConfigError
from wordsight.synth.fonts import LETTERS

LANGUAGES = (
    "en", "de", "fr", "es", "it", "pt", "nl", "pl", "cs", "sk", "sl", "sh", "hu", "ro", "tr", "vi", "sv", "nb", "da",
    "fi", "is", "lt", "lv", "ca", "id",
)  # fmt: skip
"""Codes of the languages, as `wordfreq` has them."""
_MOST = 20_000  # words of a language: the common ones with their forms
_NOUNS = {"de"}  # languages that capitalise nouns; the lists do not say which words are nouns
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz'-" + LETTERS)
_SMALL = "".join(c for c in LETTERS if c.islower())
_BARE = {"ß": "s", "ħ": "h", "ĸ": "k", "ŋ": "n", "ŧ": "t"}  # letters that no word has, and Unicode does not take apart
_WEIGHTS = tuple(accumulate((rank + 20) ** -0.5 for rank in range(_MOST)))


def check_installed() -> None:
    """Raises ConfigError if `wordfreq` is not installed, without which there are no words."""
    if find_spec("wordfreq") is None:
        raise ConfigError("words of other languages need wordfreq: pip install 'wordsight[train]'")


def word(rng: random.Random, code: str) -> str:
    """A word of a language in lower case; half of the German ones are capitalised."""
    word = _drawn(rng, _listed(code))
    return word.capitalize() if code in _NOUNS and rng.random() < 0.5 else word


def accented(rng: random.Random, by_letter: float = 0.5) -> tuple[str, str]:
    """A word with a letter beyond ASCII, and the code of its language.

    `by_letter` of them are chosen by their letter, so that all letters occur. One that no word has stands in an English
    one.
    """
    if rng.random() < by_letter:
        letter = rng.choice(_SMALL)
        if known := _by_letter().get(letter):
            return rng.choice(known)
        bare = _BARE.get(letter) or unicodedata.normalize("NFD", letter)[0]
        while bare not in (word := _drawn(rng, _listed("en"))):
            pass
        return word.replace(bare, letter, 1), "en"
    return _of_any(rng, _accented, 0.12)  # more Vietnamese, which has two thirds of the letters


def long(rng: random.Random) -> tuple[str, str]:
    """A word of 11 letters or more, and the code of its language."""
    return _of_any(rng, _long, 0.0)


def upper(word: str, code: str = "") -> str:
    """A word in capitals as its language writes them: Turkish has İ over i."""
    return (word.replace("i", "İ") if code == "tr" else word).upper()


@cache
def _listed(code: str) -> list[str]:
    from wordfreq import top_n_list

    words = (unicodedata.normalize("NFC", word) for word in top_n_list(code, _MOST, wordlist="small"))
    return [word for word in words if set(word) <= _LETTERS and word[0].isalpha()]


@cache
def _by_letter() -> dict[str, list[tuple[str, str]]]:
    """For each letter beyond ASCII the words that have it, with their languages."""
    words: dict[str, list[tuple[str, str]]] = {}
    for code in LANGUAGES:
        for word in _accented(code):
            for letter in set(word).difference(string.ascii_letters):
                words.setdefault(letter, []).append((word, code))
    return words


@cache
def _accented(code: str) -> list[str]:
    return [word for word in _listed(code) if not word.isascii()]


@cache
def _long(code: str) -> list[str]:
    return [word for word in _listed(code) if len(word) >= 11]


def _of_any(rng: random.Random, words: Callable[[str], list[str]], vietnamese: float) -> tuple[str, str]:
    while True:
        code = rng.choice(LANGUAGES)
        code = "vi" if vietnamese and rng.random() < vietnamese else code
        if len(words(code)) > 200:
            return _drawn(rng, words(code)), code


def _drawn(rng: random.Random, words: list[str]) -> str:
    return words[bisect(_WEIGHTS, rng.random() * _WEIGHTS[len(words) - 1], hi=len(words) - 1)]
