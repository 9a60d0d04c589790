"""The texts of rendered words: dictionary words as on signs, numbers, codes, addresses, random strings.

The shares follow the labels of real crops (training words of ICDAR 2015, IIIT5K, SVT and ICDAR 2003: 40-50 % capitals,
a quarter title case, a tenth with digits or punctuation, median length 5), with more of the rare kinds, so that a model
has to read rather than guess.
"""

import html
import random
import string
from bisect import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path

from wordsight.errors import DataError
from wordsight.synth.config import TEXTS, RenderConfig
from wordsight.synth.lexicon import NAMES, SIGN_WORDS, accented, brand
from wordsight.text.charset import PRESETS

MAX_LENGTH = 40
_CHARSET = frozenset(PRESETS["94+space"])
# Exponent of the counts: 0 makes all words equally likely, 1 proportional. At 0.5 'the' does not crowd out the rest.
_TEMPERING = 0.5

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DOMAINS = ("com", "com", "net", "org", "co.uk", "de", "com.sg", "in", "fr", "edu", "gov", "info", "it", "eu", "nl")
_UNITS = "kg g ml L cm mm km m KM % W V GB MB th st nd rd x am".split()  # noqa: SIM905


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
    """Draws texts. A sixth of the words comes from the built-in sign words, the rest equally from the lists `paths`."""

    def __init__(self, paths: Sequence[str | Path] = (), config: RenderConfig = RenderConfig()) -> None:  # noqa: B008 frozen
        signs = tuple(dict.fromkeys(SIGN_WORDS))
        self._signs = WordList(signs, tuple(accumulate(1.0 for _ in signs)))
        self._lists = tuple(load_words(path) for path in paths)
        self._config = config
        self._kinds: dict[str, Callable[[random.Random], str]] = {
            "phrases": self._phrase, "names": _name, "brands": brand, "numbers": _number, "prices": _price,
            "times": _time, "dates": _date, "phones": _phone, "addresses": self._address,
            "plates": partial(_filled, patterns=_PLATES), "codes": partial(_filled, patterns=_CODES),
            "letters": _random_letters, "signs": _random_signs,
        }  # fmt: skip
        self._bounds = tuple(accumulate(getattr(config, name) for name in TEXTS))

    @property
    def words(self) -> tuple[str, ...]:
        """The words of its lists, without numbers, names and the like, which are made up."""
        return (*self._signs.words, *(word for one in self._lists for word in one.words))

    def _entry(self, rng: random.Random) -> str:
        word = self._listed(rng)
        return min(word, self._listed(rng), key=len) if rng.random() < self._config.short else word

    def _listed(self, rng: random.Random) -> str:
        if not self._lists or rng.random() < 1 / 6:
            return self._signs.draw(rng)
        return rng.choice(self._lists).draw(rng)

    def draw(self, rng: random.Random) -> str:
        """A text of at most 40 characters with single spaces, sometimes empty.

        In the charset "94+space", or "latin" if `RenderConfig.latin` is above 0.
        """
        for _ in range(8):
            kind = bisect(self._bounds, rng.random())
            if kind == TEXTS.index("empty"):
                return ""
            text = " ".join((self._kinds[TEXTS[kind]](rng) if kind < len(TEXTS) else self._single(rng)).split())
            if self._config.latin and rng.random() < self._config.latin:
                text = accented(rng, text)
            if 0 < len(text) <= MAX_LENGTH:
                return text
        return "EXIT"

    def _single(self, rng: random.Random) -> str:
        word = self.word(rng)
        return _punctuate(rng, word) if rng.random() < self._config.punctuated else word

    def word(self, rng: random.Random) -> str:
        """A single word of the lists, in any case."""
        word = self._entry(rng)
        return _change_case(rng, word, keep=0.1 if word.islower() else 0.5)

    def _phrase(self, rng: random.Random) -> str:
        """Two to five words, whole phrases in the same case, as on signs."""
        count = rng.choices((2, 3, 4, 5), (60, 25, 10, 5))[0]
        words = [
            self._entry(rng) if rng.random() < 0.85 else rng.choice((*NAMES, "&", "-", _number(rng)))
            for _ in range(count)
        ]
        text = " ".join(words)
        while len(text) > MAX_LENGTH:
            text = text.rpartition(" ")[0]
        return _change_case(rng, text, keep=0.1 if text.islower() else 0.3)

    def _address(self, rng: random.Random) -> str:
        word = "".join(c for c in self._entry(rng).lower() if c.isalnum()) or "shop"
        if rng.random() < 0.3:
            word += rng.choice(("-", "", "")) + rng.choice(SIGN_WORDS)
        site = f"{word}.{rng.choice(_DOMAINS)}"
        form = rng.random()
        if form < 0.55:
            site = f"www.{site}"
        elif form < 0.7:
            site = f"{rng.choice(('info', 'sales', 'mail', 'contact', rng.choice(NAMES).lower()))}@{site}"
        elif form < 0.8:
            site = f"{rng.choice(('http://', 'https://'))}{site}"
        elif form < 0.85:
            site = f"{rng.choice('#@/')}{word}"
        return site.upper() if rng.random() < 0.15 else site


def _change_case(rng: random.Random, text: str, keep: float) -> str:
    form = rng.random()
    if form < keep:
        return text
    form = rng.random()
    if form < 0.52:
        return text.upper()
    if form < 0.80:
        return " ".join(word[:1].upper() + word[1:].lower() for word in text.split(" "))
    if form < 0.97:
        return text.lower()
    return "".join(c.upper() if rng.random() < 0.5 else c.lower() for c in text)


def _punctuate(rng: random.Random, word: str) -> str:
    if not word[-1].isalnum():
        return word
    form = rng.random()
    if form < 0.6:
        signs = (".", ",", "!", "?", ":", ";", "...", "!!", "'S" if word.isupper() else "'s")
        return word + rng.choices(signs, (25, 15, 18, 8, 10, 3, 4, 3, 14))[0]
    if form < 0.75:
        left, right = rng.choice(("()", '""', "''", "[]", "<>", "{}", "**", "--"))
        return f"{left}{word}{right}"
    if form < 0.85:
        return rng.choice("(\"'#@-*&.+/$~_^`|\\=%<>[]{}") + word
    if form < 0.95:
        return word + rng.choice(")\"'/-*&%+_$#~^`|\\=<>[]{}")
    return f"{word}{rng.choice('-/&+.')}{rng.choice(SIGN_WORDS).upper() if word.isupper() else rng.choice(SIGN_WORDS)}"


def _digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choices(string.digits, k=count))


def _capitals(rng: random.Random, count: int) -> str:
    return "".join(rng.choices(string.ascii_uppercase, k=count))


def _short(rng: random.Random, most: int) -> int:
    """A length from 1 to `most`, short ones more often."""
    return min(rng.randint(1, most), rng.randint(1, most + 3))


def _number(rng: random.Random) -> str:
    text = _digits(rng, rng.choices((1, 2, 3, 4, 5, 6, 8), (20, 28, 22, 16, 6, 5, 3))[0])
    form = rng.random()
    if form < 0.75:
        return text
    if form < 0.85:
        return text + rng.choice(("", " ")) + rng.choice(_UNITS)
    if form < 0.92:
        return f"{int(text):,}"
    return rng.choice("+-#*~") + text


def _price(rng: random.Random) -> str:
    amount = str(rng.randint(0, 10 ** rng.randint(1, 4)))
    if rng.random() < 0.7:
        amount += rng.choice(".,") + rng.choice(("00", "50", "90", "95", "99", _digits(rng, 2)))
    sign = rng.random()
    if sign < 0.7:
        return "$" + amount
    return amount + rng.choice(("", "$", "c", " EUR", "/kg", "%", " USD", ".-", "/-"))


def _time(rng: random.Random) -> str:
    hour, minute = rng.randint(0, 23), rng.choice(("00", "15", "30", "45", f"{rng.randint(0, 59):02d}"))
    form = rng.random()
    if form < 0.5:
        return f"{hour}:{minute}" if rng.random() < 0.5 else f"{hour:02d}:{minute}"
    if form < 0.8:
        return f"{hour % 12 or 12}{rng.choice((':', '.'))}{minute}{rng.choice(('am', 'pm', ' am', 'AM', ' PM', 'PM'))}"
    return f"{rng.randint(1, 11)}{rng.choice(('-', 'am-', '-'))}{rng.randint(1, 12)}{rng.choice(('pm', '', 'PM'))}"


def _date(rng: random.Random) -> str:
    day, month, year = rng.randint(1, 31), rng.randint(1, 12), rng.randint(1900, 2035)
    form = rng.random()
    if form < 0.4:
        sign = rng.choice("/.-")
        last = str(year) if rng.random() < 0.5 else f"{year % 100:02d}"
        return f"{day:02d}{sign}{month:02d}{sign}{last}"
    if form < 0.6:
        return str(year)
    if form < 0.8:
        return _change_case(rng, f"{day} {_MONTHS[month - 1]}", keep=0.5)
    return f"{year}-{rng.choice((f'{month:02d}', str(year + 1), f'{(year + 1) % 100:02d}'))}"


def _phone(rng: random.Random) -> str:
    sign = rng.choice((" ", "-", ".", ""))
    groups = rng.choice(((4, 4), (3, 3, 4), (3, 4), (2, 4, 4), (1, 3, 3, 4), (5, 6), (3, 2, 2)))
    text = sign.join(_digits(rng, n) for n in groups)
    form = rng.random()
    if form < 0.15:
        return f"+{rng.randint(1, 99)} {text}"
    if form < 0.25:
        return f"({_digits(rng, rng.randint(2, 3))}){rng.choice(('', ' '))}{text}"
    if form < 0.35:
        return rng.choice(("Tel:", "TEL:", "Tel: ", "T ", "Fax:", "Ph.")) + text
    return text


# Patterns: A is a capital, a is a small letter, 9 is a digit.
_PLATES = (
    "AAA999", "AAA 999", "AAA-9999", "AA 9999", "AAA9999A", "AAA 9999 A", "A 999 AA", "A-AA 9999", "AA99 AAA",
    "AA99AAA", "99-AA-99", "AA-999-AA", "9AAA999", "999 AAA", "AA 99 A 9999", "AA 999AA",
)  # fmt: skip
_CODES = (  # unit numbers, part and postal codes
    "A9", "A99", "AA99", "#99-99", "#99-99/99", "A9-A9", "99A", "999AA", "(99)", "[99]", "(A99)", "A99 9AA", "A-99",
    "AA-9999", "99/99", "99-99", "9.9", "9A.999", "9aa", "a99", "AAaa99", "Aa-9", "999-999", "99999", "9999999999999",
    "A9A 9A9", "No.9", "No. 99", "B9", "L9", "9F", "9/F", "99%", "-99%", "9x9", "9+9", "9 x 99", "99 KM", "1:999",
    "9.99", "9,999,999",
)  # fmt: skip
_TABLE = {"9": string.digits, "A": string.ascii_uppercase, "a": string.ascii_lowercase}


def _name(rng: random.Random) -> str:
    return _change_case(rng, rng.choice(NAMES), keep=0.5)


def _random_signs(rng: random.Random) -> str:
    return "".join(rng.choices(PRESETS["94"], k=_short(rng, 10)))


def _filled(rng: random.Random, patterns: Sequence[str]) -> str:
    return "".join(rng.choice(_TABLE[c]) if c in _TABLE else c for c in rng.choice(patterns))


def _random_letters(rng: random.Random) -> str:
    """Random letters, with which no dictionary helps."""
    length = _short(rng, 11)
    form = rng.random()
    if form < 0.4:
        return _capitals(rng, length)
    if form < 0.6:
        return "".join(rng.choices(string.ascii_lowercase, k=length))
    if form < 0.8:
        return (_capitals(rng, 1) + "".join(rng.choices(string.ascii_lowercase, k=length)))[:length]
    if form < 0.92:
        return "".join(rng.choices(string.ascii_uppercase + string.digits, k=length))
    return "".join(rng.choices(PRESETS["62"], k=length))
