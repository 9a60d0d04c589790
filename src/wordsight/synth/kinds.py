"""Texts by kind: those on signs in streets, and those that recognizers trained on such words alone get wrong.

The shares of those in streets follow the labels of real crops (training words of ICDAR 2015, IIIT5K, SVT and ICDAR
2003: 40-50 % capitals, a quarter title case, a tenth with digits or punctuation, median length 5), with more of the
rare kinds, so that a model has to read rather than guess.
"""

import random
import string
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import accumulate
from pathlib import Path

from wordsight.synth import figures, languages
from wordsight.synth.config import TEXTS, RenderConfig
from wordsight.synth.figures import FIGURES, digits
from wordsight.synth.languages import LANGUAGES, upper
from wordsight.synth.vocabulary import LISTS, MAX_LENGTH, NAMES, SIGN_WORDS, Vocabulary, change_case
from wordsight.text.charset import PRESETS

LONGEST = 64
"""Characters of the longest text."""

_ENDINGS = LISTS["endings"]
_ACCENTS = {
    "a": "àáâãäåæ", "c": "ç", "d": "ð", "e": "èéêë", "i": "ìíîï", "n": "ñ", "o": "òóôõöø", "s": "ß", "t": "þ",
    "u": "ùúûü", "y": "ýÿ",
}  # fmt: skip


class Texts:
    """Draws texts of a kind (see `KINDS`).

    Args:
        words: word lists (see `vocabulary.load_words`), beside the words of signs.
        config: its shares are those of the texts in streets.

    Raises:
        DataError: a list is missing or unusable.
    """

    def __init__(self, words: Sequence[str | Path] = (), config: RenderConfig = RenderConfig()) -> None:  # noqa: B008 frozen
        self._vocabulary = Vocabulary(words, config.short)
        self._config = config
        self._bounds = (*accumulate(getattr(config, name) for name in TEXTS), 1.0)
        self._written = frozenset(PRESETS["latin" if config.latin else "94+space"])

    def draw(self, rng: random.Random, kind: str) -> str:
        """A text of this kind: at most `LONGEST` characters, with single spaces, empty only in the kind "street"."""
        while True:
            text = " ".join((FIGURES[kind](rng) if kind in FIGURES else _WORDY[kind](self, rng)).split())
            if len(text) <= LONGEST and (text or kind == "street"):
                return text

    def street(self, rng: random.Random) -> str:
        """What is written in streets, by the shares of `RenderConfig`: at most 40 characters, sometimes none.

        In the charset "94+space", or "latin" if `RenderConfig.latin` is above 0.
        """
        while True:
            kind = rng.choices((*TEXTS, "words"), cum_weights=self._bounds)[0]
            if kind == "empty":
                return ""
            text = self.draw(rng, _STREET.get(kind, kind))
            if self._config.latin and rng.random() < self._config.latin:
                text = _with_accents(rng, text)
            if 0 < len(text) <= MAX_LENGTH and set(text) <= self._written:
                return text

    def listed(self, rng: random.Random) -> str:
        """A word of the lists in any case, sometimes with punctuation."""
        word = self._vocabulary.word(rng)
        return _punctuated(rng, word) if rng.random() < self._config.punctuated else word

    def phrase(self, rng: random.Random) -> str:
        """Two to five words of the lists in the same case, as on signs."""
        count = rng.choices((2, 3, 4, 5), (60, 25, 10, 5))[0]
        words = [
            self._vocabulary.entry(rng)
            if rng.random() < 0.85
            else rng.choice((*NAMES, "&", "-", figures.few_digits(rng)))
            for _ in range(count)
        ]
        text = " ".join(words)
        while len(text) > MAX_LENGTH:
            text = text.rpartition(" ")[0]
        return change_case(rng, text, keep=0.1 if text.islower() else 0.3)

    def name(self, rng: random.Random) -> str:
        """The name of a person or a city."""
        return change_case(rng, rng.choice(NAMES), keep=0.5)

    def address(self, rng: random.Random) -> str:
        """Addresses of web pages and mailboxes."""
        return self.email(rng) if rng.random() < 0.15 else self.url(rng)

    def word(self, rng: random.Random) -> str:
        """A word of the lists or of a language, in any case."""
        form = rng.random()
        if form < 0.5:
            return self._vocabulary.word(rng)
        code = rng.choice(LANGUAGES)
        word = languages.word(rng, code)
        return upper(word, code) if form < 0.65 else word.capitalize() if form < 0.8 else word

    def accented(self, rng: random.Random) -> str:
        """A word with letters beyond ASCII, half of the time with any of them."""
        return self._cased(rng, *languages.accented(rng))

    def common_accented(self, rng: random.Random) -> str:
        """A word with letters beyond ASCII, those that its language has as often as it has them."""
        return self._cased(rng, *languages.accented(rng, by_letter=0.0))

    def _cased(self, rng: random.Random, word: str, code: str) -> str:
        form = rng.random()
        cased = upper(word, code) if form < 0.35 else _title(word, code) if form < 0.6 else word
        word = word if cased.isascii() else cased  # as the capitals of ß and ı are
        return f"{word}{rng.choice('.,:!?;')}" if rng.random() < 0.05 else word

    def accented_line(self, rng: random.Random) -> str:
        """Two to eight words of one language."""
        _, code = languages.accented(rng)
        return self._sentence(rng, lambda: languages.word(rng, code), code)

    def line(self, rng: random.Random) -> str:
        """Two to eight words, 5 to 60 characters, of English and of the lists, with some numbers."""

        def word() -> str:
            form = rng.random()
            if form < 0.08:
                return digits(rng, rng.randint(1, 4))
            if form < 0.12:
                return rng.choice(("&", "-", "–", "/", "+", "|", "•", "→"))
            return languages.word(rng, "en") if form < 0.75 else self._vocabulary.word(rng).lower()

        return self._sentence(rng, word, "en")

    def _sentence(self, rng: random.Random, word: Callable[[], str], code: str) -> str:
        words = [word() for _ in range(rng.randint(2, 8))]
        while len(" ".join(words)) > 60:
            words.pop()
        for k in range(len(words) - 1):
            if words[k][-1].isalnum() and rng.random() < 0.08:
                words[k] += rng.choice(",,,:;.")
        form = rng.random()
        if form < 0.22:
            return upper(" ".join(words), code)
        if form < 0.42:
            return " ".join(_title(word, code) for word in words)
        text = " ".join(words)
        if form < 0.8:
            text = _title(words[0], code) + text[len(words[0]) :]
        if rng.random() < 0.08:
            left, right = rng.choice(("()", "“”", '""', "„“", "«»", "[]", "‘’", "''", "»«", "‹›"))
            return f"{left}{text}{right}"
        return text + rng.choices(("", ".", "!", "?", ":", "…", "..."), (70, 15, 5, 4, 3, 1, 2))[0]

    def sign(self, rng: random.Random) -> str:
        """One to four words, mostly in capitals, often with thin letters; some with an ampersand or a Roman number."""
        if rng.random() < 0.35:
            return rng.choice(LISTS["sign_lines"]).upper()
        count = rng.choices((1, 2, 3, 4), (25, 45, 20, 10))[0]
        english = partial(languages.word, rng, "en")
        words = [rng.choice(SIGN_WORDS) if rng.random() < 0.6 else english() for _ in range(count)]
        if rng.random() < 0.5:  # of twelve words the one with most thin letters
            words[0] = max((english() for _ in range(12)), key=lambda word: sum(map(word.count, "ilj")))
            rng.shuffle(words)
        words = (" ".join(words).upper() if rng.random() < 0.85 else " ".join(words).title()).split()
        if len(words) > 1 and rng.random() < 0.15:  # Hill & Till
            words.insert(rng.randint(1, len(words) - 1), "&")
        elif rng.random() < 0.08:  # World War II
            words.append(rng.choice(LISTS["roman"]))
        return " ".join(words)

    def long(self, rng: random.Random) -> str:
        """One word of 11 to 40 characters: long words, compounds, random letters."""
        wanted, form = rng.randint(11, 40) if rng.random() < 0.5 else rng.randint(11, 20), rng.random()
        word, code = languages.long(rng)
        if form < 0.45:
            while len(word) < max(11, wanted - 3):
                word += languages.word(rng, code).lower()
        elif form < 0.65:
            sign = rng.choice("-_./–")
            while len(word) < max(11, wanted - 3):
                word += sign + languages.word(rng, code).lower()
        elif form < 0.75:
            word = self._vocabulary.word(rng).capitalize()
            while len(word) < max(11, wanted - 3):
                word += self._vocabulary.word(rng).capitalize()
            return word[:40]
        elif form < 0.9:
            sets = (string.ascii_uppercase, string.ascii_lowercase, string.ascii_uppercase + string.digits)
            return "".join(rng.choices(rng.choice(sets), k=min(wanted, 30)))
        word = word[:40].rstrip("-_./–'")
        return upper(word, code)[:40] if rng.random() < 0.35 else _title(word, code) if rng.random() < 0.4 else word

    def email(self, rng: random.Random) -> str:
        """E-mail addresses, often with thin letters."""
        host, person = self._host(rng), rng.choice(NAMES).lower().replace("'", "")
        name = rng.choice((host, person, rng.choice(("info", "mail", "sales", "hello"))))
        if rng.random() < 0.4:
            name = f"{rng.choice(string.ascii_lowercase)}{rng.choice('._-')}{name}"
        if rng.random() < 0.2:
            name += str(rng.randint(1, 99))
        text = f"{name}@{self._host(rng)}.{rng.choice(LISTS['endings'])}"
        return text.upper() if rng.random() < 0.06 else text

    def url(self, rng: random.Random) -> str:
        """Addresses of web pages, with or without scheme and path; file names and handles."""
        host, form = f"{self._host(rng)}.{rng.choice(LISTS['endings'])}", rng.random()
        if form < 0.12:
            return ("@" if form < 0.08 else "#") + self._host(rng)
        if form < 0.2:
            return self._host(rng) + rng.choice((".pdf", ".jpg", "_01.txt", ".py", ".tar.gz"))
        host = rng.choice(("https://", "http://", "www.", "www.", "", "https://www.")) + host
        if rng.random() < 0.5:
            host += "/" + rng.choice(LISTS["pages"])
            host += str(rng.randint(1, 99999)) if host[-1] in "=/" and rng.random() < 0.8 else ""
        return host.upper() if rng.random() < 0.05 else host

    def _host(self, rng: random.Random) -> str:
        def part() -> str:
            form = rng.random()
            listed = LISTS["thin"] if form < 0.3 else SIGN_WORDS
            word = rng.choice(listed) if form < 0.6 else self._vocabulary.word(rng)
            return "".join(c for c in word.lower() if c.isascii() and c.isalnum()) or "ill"

        sign = rng.choice(("-", "-", "", "", ".", "_"))
        return sign.join(part() for _ in range(rng.choices((1, 2, 3), (55, 38, 7))[0]))

    def bracket(self, rng: random.Random) -> str:
        """Empty and full brackets: calls, footnotes, lists, tags."""
        left, right = rng.choice(("()", "()", "()", "[]", "{}", "<>", "()"))
        word = self._vocabulary.word(rng)
        small = "".join(c for c in word.lower() if c.isalnum()) or "main"
        digit = str(rng.randint(0, 10 ** rng.randint(1, 3)))
        return rng.choice(
            (f"{small}{left}{right}", f"{left}{digit}{right}", f"{left}0{right}",
             f"{left}{rng.choice('OoIl1x')}{right}",
             f"{small}{left}{digit}{right}", f"{word} {left}{digit}{right}", f"{left}{word}{right}", f"{left}{word}",
             f"{small}.{self._host(rng)[:8]}{left}{right}", f"{rng.choice('abcdef1234567890')})",
             f"{word} {left}{small}{right}", f"{small}{left}{rng.choice('ixyn')}{right}",
             f"{left}{digit}{right} {digit}", f"{left}{left}{digit}{right}{right}")
        )  # fmt: skip

    def receipt(self, rng: random.Random) -> str:
        """A row of a receipt: item and price."""
        return " ".join(self.bought(rng))

    def bought(self, rng: random.Random) -> tuple[str, str]:
        """An item of a receipt, and its price."""
        item = rng.choice(LISTS["items"])
        if rng.random() < 0.3:
            item = languages.word(rng, rng.choice(("en", "de", "fr", "pl"))).capitalize()
        if rng.random() < 0.25:
            item = f"{rng.randint(1, 12)}{rng.choice((' x ', 'x ', ' '))}{item}"
        elif rng.random() < 0.15:
            item += f" {rng.choice(('1L', '250 g', '1.2 kg', '0,5l', '500ml', '6 pcs'))}"
        sign = rng.choice(("", "", "", "", "$", "€", "£", "-"))
        end = rng.choice(("",) * 4 + (" A", " B", "*", " €", " EUR"))
        price = f"{sign}{rng.randint(0, 10 ** rng.randint(1, 3))}{rng.choice('..,')}{rng.randint(0, 99):02d}{end}"
        return (upper(item) if rng.random() < 0.35 else item), price


def _with_accents(rng: random.Random, text: str) -> str:
    """`text` with accents of Latin-1 on one to three of its letters, all of which are seen alike so."""
    letters = list(text)
    places = [k for k, c in enumerate(text) if c.lower() in _ACCENTS]
    for k in rng.sample(places, min(len(places), rng.choice((1, 1, 1, 2, 3)))):
        found = rng.choice(_ACCENTS[letters[k].lower()])
        letters[k] = found if letters[k].islower() or found in "ßÿ" else found.upper()  # no capitals in Latin-1
    return "".join(letters)


def _title(word: str, code: str) -> str:
    return upper(word[:1], code) + word[1:]


def _punctuated(rng: random.Random, word: str) -> str:
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
    other = rng.choice(SIGN_WORDS)
    return f"{word}{rng.choice('-/&+.')}{other.upper() if word.isupper() else other}"


_WORDY: Mapping[str, Callable[[Texts, random.Random], str]] = {
    "street": Texts.street,
    "words": Texts.word,
    "accented": Texts.accented,
    "common_accented": Texts.common_accented,
    "accented_lines": Texts.accented_line,
    "lines": Texts.line,
    "signs": Texts.sign,
    "long": Texts.long,
    "emails": Texts.email,
    "urls": Texts.url,
    "brackets": Texts.bracket,
    "receipts": Texts.receipt,
    "listed": Texts.listed,
    "phrases": Texts.phrase,
    "names": Texts.name,
    "addresses": Texts.address,
}
_STREET = {"words": "listed", "numbers": "few_digits", "signs": "characters"}
"""Settings of `RenderConfig` (and the words that are left) that have another name among the kinds."""

KINDS = (*_WORDY, *FIGURES)
"""The kinds of texts."""
