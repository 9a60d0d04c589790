"""TRBA (arXiv 1904.01906)."""

from wordsight.models.trba.config import TRBA_PRESETS, TrbaConfig
from wordsight.models.trba.model import Trba

__all__ = ["TRBA_PRESETS", "Trba", "TrbaConfig"]
