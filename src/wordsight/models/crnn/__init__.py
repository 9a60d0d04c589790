"""CRNN (arXiv 1507.05717)."""

from wordsight.models.crnn.config import CRNN_PRESETS, CrnnConfig
from wordsight.models.crnn.model import Crnn

__all__ = ["CRNN_PRESETS", "Crnn", "CrnnConfig"]
