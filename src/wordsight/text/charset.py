"""Charsets, the ordered sets of characters that recognizers can write, and how labels are adapted to them."""

import hashlib
import string
import unicodedata
from dataclasses import dataclass

from wordsight.errors import ConfigError

_LATIN1_LETTERS = "".join(c for c in map(chr, range(0xC0, 0x100)) if c.isalpha())
_36 = string.digits + string.ascii_lowercase
_62 = _36 + string.ascii_uppercase
_94 = _62 + string.punctuation

_LATIN_EXTENDED = "".join(
    [
        *(c for c in map(chr, range(0xA1, 0xC0)) if c != "\xad"),  # Latin-1's signs, without the soft hyphen
        "×÷",
        *map(chr, range(0x100, 0x180)),  # Latin Extended-A
        "ƠơƯưȘșȚțẞ",
        *map(chr, range(0x1EA0, 0x1EFA)),  # Vietnamese
        "–—…‘’“”‚„‹›•‰№™€₫₹₺₽₩₱₴−≤≥≈≠∞←↑→↓✓★●′″⅓⅔⅛",
    ]
)

PRESETS: dict[str, str] = {
    "36": _36,
    "62": _62,
    "94": _94,
    "94+space": _94 + " ",
    "latin": _94 + " " + _LATIN1_LETTERS,
    "latin-extended": _94 + " " + _LATIN1_LETTERS + _LATIN_EXTENDED,
}
"""Named charsets: digits and lower case; + upper case; + ASCII punctuation; + space; + the letters of Latin-1; + those
of all European languages and Vietnamese, and the signs of price tags and typography."""


def _is_control(c: str) -> bool:
    """Whether a character is a control: ends lines, moves cursors, changes the direction of text."""
    return (
        unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")
        or c in "\u202a\u202b\u202d\u202e\u202c\u2066\u2067\u2068\u2069"
    )


@dataclass(frozen=True)
class Charset:
    """An ordered, named set of characters (NFC, one code point each).

    Raises:
        ConfigError: a character is repeated, a control or not a single NFC code point, or there are none.
    """

    name: str
    characters: str

    def __post_init__(self) -> None:
        if not self.characters:
            raise ConfigError(f"charset {self.name!r} is empty: list at least one character")
        repeated = sorted({c for c in self.characters if self.characters.count(c) > 1})
        if repeated:
            raise ConfigError(f"charset {self.name!r} repeats {''.join(repeated)!r}: list every character once")
        unseen = [f"U+{ord(c):04X}" for c in self.characters if _is_control(c)]
        if unseen:
            raise ConfigError(
                f"charset {self.name!r} holds {', '.join(unseen[:5])}, which are invisible in text: leave them out"
            )
        if unicodedata.normalize("NFC", self.characters) != self.characters:
            raise ConfigError(f"charset {self.name!r} is not in Unicode normal form C: normalise its characters")

    @classmethod
    def preset(cls, name: str) -> "Charset":
        """The charset called `name` in `PRESETS`."""
        if name not in PRESETS:
            raise ConfigError(f"no charset is called {name!r}: choose one of {', '.join(PRESETS)}")
        return cls(name, PRESETS[name])

    def __len__(self) -> int:
        return len(self.characters)

    def __contains__(self, character: str) -> bool:
        return character in self.characters

    @property
    def hash(self) -> str:
        """SHA-256 of the characters in order, hexadecimal: the identity of the charset."""
        return hashlib.sha256(self.characters.encode()).hexdigest()

    @property
    def strips_space(self) -> bool:
        """Whether the field's rules for ASCII charsets without space apply (drop white space, NFKD to ASCII)."""
        return self.characters.isascii() and " " not in self.characters

    def normalize(self, label: str) -> str:
        """A label in the normal form of this charset, keeping unknown characters.

        ASCII charsets without space follow PARSeq: white space is removed, then NFKD applied and everything outside
        ASCII dropped. For all others: NFC, and runs of white space become one space.
        """
        if self.strips_space:
            return unicodedata.normalize("NFKD", "".join(label.split())).encode("ascii", "ignore").decode()
        return unicodedata.normalize("NFC", " ".join(label.split()))

    def adapt(self, text: str) -> str:
        """`text` folded to the charset's case, if it has only one, and without unknown characters.

        Labels and predictions are compared in this form under a benchmark's charset (PARSeq's charset adapter).
        """
        if not any(c.isupper() for c in self.characters):
            text = text.lower()
        elif not any(c.islower() for c in self.characters):
            text = text.upper()
        return "".join(c for c in text if c in self.characters)

    def unknown(self, label: str) -> set[str]:
        """The characters of `label` that this charset lacks."""
        return {c for c in label if c not in self.characters}
