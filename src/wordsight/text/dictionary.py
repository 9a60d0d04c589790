"""Dictionaries: known words, and those of them that are similar to a given one."""

import gzip
from collections import Counter
from collections.abc import Iterable
from functools import cache, cached_property
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from wordsight.errors import ConfigError, pip_install

NEIGHBOURS = 10
"""Most similar known words that a reading is compared with; 32 are no better."""

_LONGEST = 64
_MOST = 100_000  # words of a language, the most frequent ones


class Dictionary:
    """A set of words, whose case does not matter.

    Args:
        words: empty ones and those of more than 64 characters are left out.

    Raises:
        ConfigError: no words remain.
    """

    def __init__(self, words: Iterable[str]) -> None:
        folded = (word.strip().lower() for word in words)
        self._words = dict.fromkeys(word for word in folded if 0 < len(word) <= _LONGEST)
        if not self._words:
            raise ConfigError("the dictionary has no words: give some, or pass None")

    @classmethod
    def of(cls, words: str | Iterable[str]) -> "Dictionary":
        """A dictionary by name, or of the given words.

        Args:
            words: words, or a language: "english" (also "en"), which comes with the package, or a code such as "de"
                that the package `wordfreq` knows; several, separated by commas.

        Raises:
            ConfigError: there is no such dictionary, `wordfreq` is not installed, or there are no words.
        """
        if not isinstance(words, str):
            return cls(words)
        languages = [name.strip() for name in words.split(",")]
        if languages in (["english"], ["en"]):
            return cls.english()
        return cls(word for language in languages for word in _words_of(language))

    @classmethod
    @cache
    def english(cls) -> "Dictionary":
        """122,000 English words and names, American and British: SCOWL (2020.12.07) up to size 60."""
        return cls(gzip.decompress((files("wordsight.text") / "english.txt.gz").read_bytes()).decode().split())

    def __len__(self) -> int:
        return len(self._words)

    def __contains__(self, word: str) -> bool:
        return word.lower() in self._words

    def near(self, word: str) -> list[str]:
        """Known words, in the case of `word`, within an edit distance of 1, of 2 for five letters or more, of 3 for
        eight or more; the most similar first. None lacks a letter with a diacritic that `word` has, as such a
        letter is rarely read where there is none.
        """
        from rapidfuzz.distance import Levenshtein
        from rapidfuzz.process import extract

        folded, far = word.lower(), 1 + (len(word) >= 5) + (len(word) >= 8)
        if len(word) > _LONGEST:
            return []
        words, letters, lengths = self._index
        # An inserted or deleted letter changes at most one bit, a substituted one two: this excludes most words
        longer = np.abs(lengths - len(folded))
        bits = np.bitwise_count(letters ^ _letters([folded]))
        likely = words[np.flatnonzero((longer <= far) & (bits + longer <= 2 * far))].tolist()
        if marked := Counter(c for c in folded if not c.isascii()):
            likely = [other for other in likely if marked <= Counter(other)]
        found = extract(folded, likely, scorer=Levenshtein.distance, score_cutoff=far, limit=NEIGHBOURS)
        return [_in_case_of(word, other) for other, _, _ in found]

    @cached_property
    def _index(self) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.uint64], npt.NDArray[np.int8]]:
        """The words, their letters as bits, and their lengths."""
        words = list(self._words)
        return np.array(words, dtype=object), _letters(words), np.array([len(word) for word in words], np.int8)


def _words_of(language: str) -> Iterable[str]:
    if language in ("english", "en"):
        return Dictionary.english()._words
    try:
        from wordfreq import available_languages, top_n_list
    except ImportError:
        raise ConfigError(
            f"dictionary {language!r}: 'english' comes with the package, other languages need wordfreq: "
            f"{pip_install('languages')}"
        ) from None
    if language not in (known := available_languages()):
        raise ConfigError(f"there is no dictionary {language!r}: give english, {', '.join(sorted(known))}, or words")
    return top_n_list(language, _MOST)


def _letters(words: list[str]) -> npt.NDArray[np.uint64]:
    """(words,) 31 bits for the letters that words have, and 31 for those that they have twice; rare ones share bits."""
    codes = np.array(words, dtype=np.str_).view(np.uint32).reshape(len(words), -1) & 31
    once = np.zeros(len(words), np.uint64)
    twice = np.zeros(len(words), np.uint64)
    for column in codes.T:
        bit = np.left_shift(np.uint64(1), column.astype(np.uint64)) & ~np.uint64(1)  # 0 pads shorter words
        twice |= once & bit
        once |= bit
    found: npt.NDArray[np.uint64] = once | twice << np.uint64(32)
    return found


def _in_case_of(word: str, other: str) -> str:
    """`other` in capitals if most letters of `word` are, else capitalised if `word` is."""
    capitals = sum(map(str.isupper, word))
    if word.isupper() or 2 * capitals > sum(map(str.isalpha, word)) + 1:
        return other.upper()
    return other.capitalize() if word[:1].isupper() else other
