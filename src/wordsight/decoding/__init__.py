"""Decoding of recognizers in NumPy, the same code for every engine."""

from wordsight.decoding.graphs import Floats, Ids, PsmGraphs, Seen, join_arrays
from wordsight.decoding.psm import Decoded, Mode, Passes, PsmSpec, check_mode, decode_psm, read_psm
from wordsight.decoding.readings import Char, Reading, reading

__all__ = [
    "Char",
    "Decoded",
    "Floats",
    "Ids",
    "Mode",
    "Passes",
    "PsmGraphs",
    "PsmSpec",
    "Reading",
    "Seen",
    "check_mode",
    "decode_psm",
    "join_arrays",
    "read_psm",
    "reading",
]
