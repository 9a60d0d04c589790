"""ViTSTR (arXiv 2105.08582)."""

from wordsight.models.vitstr.model import VITSTR_PRESETS, Vitstr, VitstrConfig

__all__ = ["VITSTR_PRESETS", "Vitstr", "VitstrConfig"]
