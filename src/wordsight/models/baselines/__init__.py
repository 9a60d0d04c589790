"""Recognizers that CLIPTER is measured on besides CLIP4STR and PARSeq."""

from wordsight.models.baselines.crnn import CRNN_PRESETS, Crnn, CrnnConfig
from wordsight.models.baselines.graphs import LogitsGraph
from wordsight.models.baselines.step_graphs import TrbaImage, TrbaStep
from wordsight.models.baselines.trba import TRBA_PRESETS, Trba, TrbaConfig
from wordsight.models.baselines.vitstr import VITSTR_PRESETS, Vitstr, VitstrConfig

__all__ = [
    "CRNN_PRESETS",
    "TRBA_PRESETS",
    "VITSTR_PRESETS",
    "Crnn",
    "CrnnConfig",
    "LogitsGraph",
    "Trba",
    "TrbaConfig",
    "TrbaImage",
    "TrbaStep",
    "Vitstr",
    "VitstrConfig",
]
