"""Single words: those of lists, of signs and packages, in the cases of signs; and names."""

import html
import random
import tomllib
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from wordsight.errors import DataError
from wordsight.text.charset import PRESETS


def _lists() -> dict[str, tuple[str, ...]]:
    found: dict[str, str] = tomllib.loads(Path(__file__).with_name("texts.toml").read_text(encoding="utf-8"))
    return {
        name: tuple(filter(None, text.replace("\n", "|").split("|"))) if "|" in text else tuple(text.split())
        for name, text in found.items()
    }


LISTS = _lists()
"""Words and other parts of texts by name, from texts.toml."""
SIGN_WORDS, NAMES = LISTS["sign_words"], LISTS["names"]
MAX_LENGTH = 40
_CHARSET = frozenset(PRESETS["94+space"])
# Exponent of the counts: 0 makes all words equally likely, 1 proportional. At 0.5 'the' does not crowd out the rest.
_TEMPERING = 0.5


@dataclass(frozen=True)
class WordList:
    """Words and their cumulative weights."""

    words: tuple[str, ...]
    weights: tuple[float, ...]

    def draw(self, rng: random.Random) -> str:
        """A word, by weight."""
        return self.words[bisect(self.weights, rng.random() * self.weights[-1], hi=len(self.words) - 1)]


def load_words(path: str | Path) -> WordList:
    """Reads a list of words, one per line, or word TAB count; lines that start with "# " are comments.

    HTML entities are unescaped. Words of more than 40 characters, or with others than printable ASCII, are left out.

    Raises:
        DataError: the file cannot be read or has no usable word.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as a word list in UTF-8 ({error.__class__.__name__})") from None
    counts: dict[str, float] = {}
    for line in lines:
        if line.startswith("# ") or line == "#":
            continue
        word, _, count = line.partition("\t")
        word = " ".join(html.unescape(word).split())
        if word and len(word) <= MAX_LENGTH and set(word) <= _CHARSET:
            try:
                weight = float(count) if count else 1.0
            except ValueError:
                raise DataError(f"{path}: {line[:40]!r} is not 'word TAB count'") from None
            counts[word] = counts.get(word, 0.0) + max(weight, 0.0)
    if not counts:
        raise DataError(f"{path}: no usable word; one word a line, optionally TAB and a count")
    return WordList(tuple(counts), tuple(accumulate(count**_TEMPERING for count in counts.values())))


class Vocabulary:
    """Words: a sixth of them those of signs, the rest equally from the lists `paths`.

    Args:
        paths: of lists, see `load_words`.
        short: share of words that are the shorter of two samples, since words in photographs are short.
    """

    def __init__(self, paths: Sequence[str | Path] = (), short: float = 0.75) -> None:
        signs = tuple(dict.fromkeys(SIGN_WORDS))
        self._signs = WordList(signs, tuple(accumulate(1.0 for _ in signs)))
        self._lists = tuple(load_words(path) for path in paths)
        self._short = short

    @property
    def words(self) -> tuple[str, ...]:
        """All of them."""
        return (*self._signs.words, *(word for one in self._lists for word in one.words))

    def entry(self, rng: random.Random) -> str:
        """A word as it is listed."""
        word = self._listed(rng)
        return min(word, self._listed(rng), key=len) if rng.random() < self._short else word

    def word(self, rng: random.Random) -> str:
        """A word in any case."""
        word = self.entry(rng)
        return change_case(rng, word, keep=0.1 if word.islower() else 0.5)

    def _listed(self, rng: random.Random) -> str:
        if not self._lists or rng.random() < 1 / 6:
            return self._signs.draw(rng)
        return rng.choice(self._lists).draw(rng)


def change_case(rng: random.Random, text: str, keep: float) -> str:
    """A text in the cases of signs, mostly capitals, or as it is, with probability `keep`."""
    if rng.random() < keep:
        return text
    form = rng.random()
    if form < 0.52:
        return text.upper()
    if form < 0.80:
        return " ".join(word[:1].upper() + word[1:].lower() for word in text.split(" "))
    if form < 0.97:
        return text.lower()
    return "".join(c.upper() if rng.random() < 0.5 else c.lower() for c in text)
