"""ViTSTR (arXiv 2105.08582)."""

from wordsight.models.vitstr.config import VITSTR_PRESETS, VitstrConfig
from wordsight.models.vitstr.model import Vitstr

__all__ = ["VITSTR_PRESETS", "Vitstr", "VitstrConfig"]
