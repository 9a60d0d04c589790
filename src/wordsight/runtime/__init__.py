"""Model packs and the engine that runs them."""

from wordsight.decoding import Graph
from wordsight.runtime.models import DEFAULT, find_model, shipped_models
from wordsight.runtime.pack import Pack, load_pack
from wordsight.runtime.recognizer import OnnxRecognizer

__all__ = ["DEFAULT", "Graph", "OnnxRecognizer", "Pack", "find_model", "load_pack", "shipped_models"]
