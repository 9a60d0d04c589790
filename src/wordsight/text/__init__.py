"""Charsets, tokenizers and the field's label rules. Needs nothing but NumPy, and `tokenizers` for CLIP's."""

from wordsight.text.bpe import ClipTokenizer
from wordsight.text.captions import Captions, CharCaptions, ClipCaptions
from wordsight.text.charset import PRESETS, Charset
from wordsight.text.constraints import Constraint
from wordsight.text.tokenizer import CharTokenizer

__all__ = [
    "PRESETS",
    "Captions",
    "CharCaptions",
    "CharTokenizer",
    "Charset",
    "ClipCaptions",
    "ClipTokenizer",
    "Constraint",
]
