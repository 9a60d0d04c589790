"""CRNN (arXiv 1507.05717)."""

from wordsight.models.crnn.model import CRNN_PRESETS, Crnn, CrnnConfig

__all__ = ["CRNN_PRESETS", "Crnn", "CrnnConfig"]
