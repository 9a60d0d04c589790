"""Where the text is: a detector, or the user's own boxes."""

from wordsight.detect.boxes import Boxes, read_boxes
from wordsight.detect.ppocr import Box, PPOCRDetector
from wordsight.detect.split import Gap, between, find_gaps, split_words

__all__ = ["Box", "Boxes", "Gap", "PPOCRDetector", "between", "find_gaps", "read_boxes", "split_words"]
