"""CLIP4STR."""

from wordsight.models.clip4str.config import CLIP4STR_PRESETS, Clip4StrConfig
from wordsight.models.clip4str.model import Clip4Str

__all__ = ["CLIP4STR_PRESETS", "Clip4Str", "Clip4StrConfig"]
