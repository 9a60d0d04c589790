"""PARSeq (arXiv 2207.06966)."""

from wordsight.models.parseq.config import PARSEQ_PRESETS, ParseqConfig
from wordsight.models.parseq.model import Parseq

__all__ = ["PARSEQ_PRESETS", "Parseq", "ParseqConfig"]
