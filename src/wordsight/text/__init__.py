"""Charsets, tokenizers and the field's label rules. Needs nothing but NumPy."""

from wordsight.text.charset import PRESETS, Charset
from wordsight.text.tokenizer import CharTokenizer

__all__ = ["PRESETS", "CharTokenizer", "Charset"]
