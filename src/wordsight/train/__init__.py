"""Training: what a step does, what it trains on, and the recipes' vocabulary."""

from wordsight.train.data import WordsData
from wordsight.train.module import KeepModel, Recognition

__all__ = ["KeepModel", "Recognition", "WordsData"]
