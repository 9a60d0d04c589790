"""Safe decoding of images, rectification of polygons, preprocessing."""

from wordsight.imaging.load import DPI, MAX_PIXELS, Page, Pages, load_image, load_only, open_pages
from wordsight.imaging.preprocess import Batch, Preprocessing, batches, prepare
from wordsight.imaging.rectify import Pyramid, rectify
from wordsight.imaging.sources import Source, name_of, several

__all__ = [
    "DPI",
    "MAX_PIXELS",
    "Batch",
    "Page",
    "Pages",
    "Preprocessing",
    "Pyramid",
    "Source",
    "batches",
    "load_image",
    "load_only",
    "name_of",
    "open_pages",
    "prepare",
    "rectify",
    "several",
]
