"""Decoding of recognizers in NumPy, the same code for every engine."""

from wordsight.decoding.arrays import Floats, Ids
from wordsight.decoding.graphs import Engine, PsmGraphs, Seen, Spec, join_arrays
from wordsight.decoding.kind import Kind, Mode, Settings
from wordsight.decoding.kinds import KINDS
from wordsight.decoding.psm import PSM, Decoded, Passes, decode_psm, read_psm
from wordsight.decoding.readings import Char, Reading, reading
from wordsight.decoding.signature import Graph

__all__ = [
    "KINDS",
    "PSM",
    "Char",
    "Decoded",
    "Engine",
    "Floats",
    "Graph",
    "Ids",
    "Kind",
    "Mode",
    "Passes",
    "PsmGraphs",
    "Reading",
    "Seen",
    "Settings",
    "Spec",
    "decode_psm",
    "join_arrays",
    "read_psm",
    "reading",
]
