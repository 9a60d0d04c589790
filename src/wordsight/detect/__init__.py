"""Where the text is: a detector, or the user's own boxes."""

from wordsight.detect.boxes import Boxes, read_boxes
from wordsight.detect.ppocr import Box, PPOCRDetector

__all__ = ["Box", "Boxes", "PPOCRDetector", "read_boxes"]
