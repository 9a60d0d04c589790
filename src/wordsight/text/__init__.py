"""Charsets, tokenizers, label rules, dictionaries and constraints. Needs only NumPy, and `tokenizers` for CLIP."""

from wordsight.text.bpe import ClipTokenizer
from wordsight.text.captions import Captions, CharCaptions, ClipCaptions, HubCaptions
from wordsight.text.charset import PRESETS, Charset
from wordsight.text.constraints import Constraint
from wordsight.text.dictionary import Dictionary
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
    "Dictionary",
    "HubCaptions",
]
