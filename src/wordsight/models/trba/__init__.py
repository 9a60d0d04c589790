"""TRBA (arXiv 1904.01906)."""

from wordsight.models.trba.model import TRBA_PRESETS, Trba, TrbaConfig

__all__ = ["TRBA_PRESETS", "Trba", "TrbaConfig"]
