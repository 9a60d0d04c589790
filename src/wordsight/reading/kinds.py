"""What kind of text a box holds, as far as columns and tables tell it."""

import unicodedata
from enum import Enum

_LETTERS = 3  # that a number may have beside it: of a unit, a currency, a month


class Kind(Enum):
    """Running text; a unit, an abbreviation or signs; a number, price, date or time; a label such as `Name:`."""

    WORDS = 0
    SHORT = 1
    NUMBER = 2
    LABEL = 3


def kind(text: str) -> Kind:
    """The kind of a text."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text if c.isalpha())
    letters = sum(c.isalpha() for c in text) + wide  # an ideograph says as much as two letters
    digits = sum(c.isdigit() for c in text)
    if text.rstrip().endswith((":", "\uff1a")):
        return Kind.LABEL
    if letters > _LETTERS and letters > 2 * digits:
        return Kind.WORDS
    return Kind.NUMBER if digits else Kind.SHORT
