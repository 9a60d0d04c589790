"""Model packs and the engine that runs them."""

from wordsight.runtime.models import DEFAULT, find_model, shipped_models
from wordsight.runtime.onnx import OnnxRecognizer
from wordsight.runtime.pack import Graph, Pack, load_pack

__all__ = ["DEFAULT", "Graph", "OnnxRecognizer", "Pack", "find_model", "load_pack", "shipped_models"]
