"""Words of languages in Latin script, from the package `wordfreq`."""

import random
import unicodedata
from bisect import bisect
from itertools import accumulate

from wordsight.errors import ConfigError
from wordsight.synth.latin import LETTERS

LANGUAGES = (
    "en", "de", "fr", "es", "it", "pt", "nl", "pl", "cs", "sk", "sl", "sh", "hu", "ro", "tr", "vi", "sv", "nb", "da",
    "fi", "is", "lt", "lv", "ca", "id",
)  # fmt: skip
"""Codes of the languages, as `wordfreq` has them."""
_MOST = 20_000  # words of a language: the common ones with their forms
_NOUNS = {"de"}  # languages that capitalise nouns; the lists do not say which words are nouns
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz'-" + LETTERS)


class Languages:
    """Draws words of a language, weighted by the inverse square root of their rank.

    Raises:
        ConfigError: `wordfreq` is not installed.
    """

    def __init__(self, codes: tuple[str, ...] = LANGUAGES) -> None:
        try:
            from wordfreq import top_n_list
        except ImportError:
            raise ConfigError("words of other languages need wordfreq: pip install 'wordsight[train]'") from None
        self.codes = codes
        self._words: dict[str, list[str]] = {}
        for code in codes:
            words = (unicodedata.normalize("NFC", word) for word in top_n_list(code, _MOST, wordlist="small"))
            self._words[code] = [word for word in words if set(word) <= _LETTERS and word[0].isalpha()]
        self._accented = {code: [word for word in self._words[code] if not word.isascii()] for code in codes}
        self._long = {code: [word for word in self._words[code] if len(word) >= 11] for code in codes}
        self._weights = tuple(accumulate((rank + 20) ** -0.5 for rank in range(_MOST)))

    def word(self, rng: random.Random, code: str) -> str:
        """A word in lower case; half of the German ones are capitalised."""
        word = self._drawn(rng, self._words[code])
        return word.capitalize() if code in _NOUNS and rng.random() < 0.5 else word

    def accented(self, rng: random.Random) -> tuple[str, str]:
        """A word with a letter beyond ASCII, and the code of its language."""
        while True:
            code = rng.choice(self.codes)
            # More Vietnamese, which has two thirds of the letters
            code = "vi" if "vi" in self._words and rng.random() < 0.12 else code
            if len(self._accented[code]) > 200:
                return self._drawn(rng, self._accented[code]), code

    def long(self, rng: random.Random) -> tuple[str, str]:
        """A word of 11 letters or more, and the code of its language."""
        while True:
            code = rng.choice(self.codes)
            if len(self._long[code]) > 200:
                return self._drawn(rng, self._long[code]), code

    def _drawn(self, rng: random.Random, words: list[str]) -> str:
        place = bisect(self._weights, rng.random() * self._weights[len(words) - 1], hi=len(words) - 1)
        return words[place]


def upper(word: str, code: str = "") -> str:
    """A word in capitals as its language writes them: Turkish has İ over i."""
    return (word.replace("i", "İ") if code == "tr" else word).upper()
