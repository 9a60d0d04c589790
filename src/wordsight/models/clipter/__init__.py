"""CLIPTER (arXiv 2301.07464): any crop recognizer, conditioned on its scene by gated cross-attention."""

from wordsight.models.clipter.model import ClipterConfig, Contextual, SceneContext, insert

__all__ = ["ClipterConfig", "Contextual", "SceneContext", "insert"]
