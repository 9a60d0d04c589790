"""CLIPTER (arXiv 2301.07464): any crop recognizer, conditioned on its scene by gated cross-attention."""

from wordsight.models.clipter.config import ClipterConfig
from wordsight.models.clipter.context import Contextual, SceneContext
from wordsight.models.clipter.insert import insert

__all__ = ["ClipterConfig", "Contextual", "SceneContext", "insert"]
