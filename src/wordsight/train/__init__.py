"""Training: modules, data and recipes."""

from wordsight.train.callbacks import KeepModel
from wordsight.train.data import WordsData
from wordsight.train.module import Recognition
from wordsight.train.run import run_recipe

__all__ = ["KeepModel", "Recognition", "WordsData", "run_recipe"]
