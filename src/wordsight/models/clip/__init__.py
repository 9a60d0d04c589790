"""The CLIP towers."""

from wordsight.models.clip.config import CLIP_TOWERS, ClipConfig
from wordsight.models.clip.model import Clip

__all__ = ["CLIP_TOWERS", "Clip", "ClipConfig"]
