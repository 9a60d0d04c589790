"""Images in, crops out: safe decoding, polygons to strips, preprocessing."""

from wordsight.imaging.load import MAX_PIXELS, load_image
from wordsight.imaging.preprocess import Batch, Preprocessing, batches, prepare
from wordsight.imaging.rectify import rectify

__all__ = ["MAX_PIXELS", "Batch", "Preprocessing", "batches", "load_image", "prepare", "rectify"]
