"""Which labels a recognizer can be trained on, and in which form."""

import unicodedata

from wordsight.text import Charset


def trained_label(given: str, charset: Charset) -> str:
    """The form in which a recognizer with this charset learns a usable label (see `rejection`).

    ASCII charsets without space follow the field's convention: white space removed, NFKD, other Unicode dropped, folded
    if the charset has only one case, characters outside it deleted. For other charsets, labels are only normalised.
    """
    text = charset.normalize(given)
    return charset.adapt(text) if charset.strips_space else text


def rejection(given: str, charset: Charset, max_length: int) -> str:
    """Why a recognizer cannot be trained on a label, or the empty string.

    In PARSeq's order: the length counts after normalising but before characters are deleted, emptiness comes last.
    Charsets with space or beyond ASCII, which delete nothing, reject labels with unknown characters instead.
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
    """The characters of a label that this charset cannot express in any form: in ASCII é becomes e, but € is lost."""
    if not charset.strips_space:
        return charset.unknown(charset.normalize(given))
    others = charset.unknown(unicodedata.normalize("NFC", given))
    return {c for c in others if not c.isspace() and not trained_label(c, charset)}
