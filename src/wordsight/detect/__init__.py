"""Where the text is: a detector, or the user's own boxes."""

from wordsight.detect.boxes import Boxes, read_boxes
from wordsight.detect.detector import Box, Detector, FoundBox, TextDetector, check_portable, look, on_demand
from wordsight.detect.packs import DetectorPack, find_detector, write_detector

__all__ = [
    "Box",
    "Boxes",
    "Detector",
    "DetectorPack",
    "FoundBox",
    "TextDetector",
    "check_portable",
    "find_detector",
    "look",
    "on_demand",
    "read_boxes",
    "write_detector",
]
