"""Decoding of recognizers in NumPy, the same code for every engine."""

from wordsight.decoding.psm import Decoded, Passes, PsmGraphs, decode_psm, read_psm
from wordsight.decoding.readings import Char, Reading, reading

__all__ = ["Char", "Decoded", "Passes", "PsmGraphs", "Reading", "decode_psm", "read_psm", "reading"]
