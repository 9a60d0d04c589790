"""Recognizers that CLIPTER is measured on besides CLIP4STR and PARSeq."""

from wordsight.models.baselines.abinet import ABINET_PRESETS, Abinet, AbinetConfig
from wordsight.models.baselines.crnn import CRNN_PRESETS, Crnn, CrnnConfig
from wordsight.models.baselines.graphs import LogitsGraph
from wordsight.models.baselines.step_graphs import AbinetCorrect, AbinetImage, TrbaImage, TrbaStep
from wordsight.models.baselines.trba import TRBA_PRESETS, Trba, TrbaConfig
from wordsight.models.baselines.vitstr import VITSTR_PRESETS, Vitstr, VitstrConfig

__all__ = [
    "ABINET_PRESETS",
    "CRNN_PRESETS",
    "TRBA_PRESETS",
    "VITSTR_PRESETS",
    "Abinet",
    "AbinetConfig",
    "AbinetCorrect",
    "AbinetImage",
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
