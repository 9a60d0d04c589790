"""Which labels a recognizer can be trained on, and in what form."""

import unicodedata

from wordsight.text import Charset


def trained_label(given: str, charset: Charset) -> str:
    """A label as a recognizer with this charset learns it, should it be usable (see `rejection`).

    ASCII charsets without space follow the field: normalised (white space removed, NFKD, the rest of Unicode dropped),
    folded to the charset's only case if it has one, characters outside it deleted. Others are normalised only.
    """
    text = charset.normalize(given)
    return charset.adapt(text) if charset.strips_space else text


def rejection(given: str, charset: Charset, max_length: int) -> str:
    """Why a recognizer cannot be trained on a label, or the empty string.

    In the field's order (PARSeq): too long is judged after normalising but before characters are deleted, empty last.
    Charsets that delete nothing refuse labels with unknown characters instead.
    """
    text = charset.normalize(given)
    if len(text) > max_length:
        return "too long"
    if charset.strips_space:
        text = charset.adapt(text)
    elif charset.unknown(text):
        return "unknown characters"
    return "" if text else "empty"


def lost_characters(given: str, charset: Charset) -> set[str]:
    """The characters of a label that this charset cannot express in any form: é in ASCII is e, but € is nothing."""
    if not charset.strips_space:
        return charset.unknown(charset.normalize(given))
    others = charset.unknown(unicodedata.normalize("NFC", given))
    return {c for c in others if not c.isspace() and not trained_label(c, charset)}
