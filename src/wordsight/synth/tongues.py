"""Words of the languages that are written in Latin letters, from the package `wordfreq`."""

import random
import unicodedata
from bisect import bisect
from itertools import accumulate

from wordsight.errors import ConfigError, pip_install
from wordsight.synth.latin import LETTERS

LANGUAGES = (
    "en", "de", "fr", "es", "it", "pt", "nl", "pl", "cs", "sk", "sl", "sh", "hu", "ro", "tr", "vi", "sv", "nb", "da",
    "fi", "is", "lt", "lv", "ca", "id",
)  # fmt: skip
"""Codes of the languages, as `wordfreq` has them."""
_MOST = 20_000  # words of a language: the usual ones with their forms
_NOUNS = {"de"}  # languages whose nouns have capitals; which words are nouns the lists do not tell
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz'-" + LETTERS)


class Tongues:
    """Draws words of a language, common ones more often: by the square root of their rank's inverse.

    Raises:
        ConfigError: `wordfreq` is not installed.
    """

    def __init__(self, languages: tuple[str, ...] = LANGUAGES) -> None:
        try:
            from wordfreq import top_n_list
        except ImportError:
            raise ConfigError(f"words of other languages need wordfreq: {pip_install('languages')}") from None
        self.languages = languages
        self._words: dict[str, tuple[str, ...]] = {}
        self._marked: dict[str, tuple[str, ...]] = {}
        self._long: dict[str, tuple[str, ...]] = {}
        for code in languages:
            words = (unicodedata.normalize("NFC", word) for word in top_n_list(code, _MOST, wordlist="small"))
            known = tuple(word for word in words if set(word) <= _LETTERS and word[0].isalpha())
            self._words[code] = known
            self._marked[code] = tuple(word for word in known if not word.isascii())
            self._long[code] = tuple(word for word in known if len(word) >= 11)
        self._weights = tuple(accumulate((rank + 20) ** -0.5 for rank in range(_MOST)))

    def word(self, rng: random.Random, code: str) -> str:
        """A word in small letters, but for German, half of whose words have a capital."""
        word = self._drawn(rng, self._words[code])
        return word.capitalize() if code in _NOUNS and rng.random() < 0.5 else word

    def marked(self, rng: random.Random) -> tuple[str, str]:
        """A word with a letter beyond ASCII, of any language that has such, and the language's code."""
        while True:
            code = rng.choice(self.languages)
            # Of Vietnamese, which has two thirds of the letters, more.
            code = "vi" if "vi" in self._words and rng.random() < 0.12 else code
            if len(self._marked[code]) > 200:
                return self._drawn(rng, self._marked[code]), code

    def long(self, rng: random.Random) -> tuple[str, str]:
        """A word of 11 letters or more, and its language's code."""
        while True:
            code = rng.choice(self.languages)
            if len(self._long[code]) > 200:
                return self._drawn(rng, self._long[code]), code

    def _drawn(self, rng: random.Random, words: tuple[str, ...]) -> str:
        place = bisect(self._weights, rng.random() * self._weights[len(words) - 1], hi=len(words) - 1)
        return words[place]


def upper(word: str, code: str = "") -> str:
    """A word in capitals as its language writes them: Turkish has İ over i."""
    return (word.replace("i", "İ") if code == "tr" else word).upper()
