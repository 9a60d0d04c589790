"""A doubtful strip from other angles: skewed text made level, slanted letters made upright."""

import math
from collections.abc import Callable

from wordsight.reading.slopes import climb
from wordsight.reading.strips import Strip

Angles = Callable[[Strip], list[Strip]]
"""The other angles from which a strip is read if its reading is doubtful."""

# Text that is seen to be skewed by `_SEEN` of its box's height is made level as if it did so by `_TILT`; from all
# angles it is tilted both ways and slanted both ways by that. Right of 767 held-out training words and of 908 rendered
# ones, and how many more looks a word of the former gets (with the dictionary):
#
#                      a smaller one               small
#   as it lies         88.4 %  83.6 %              89.3 %  85.2 %
#   as seen            89.2 %  84.7 %  0.11        89.3 %  85.2 %  0.10
#   tilted both ways   89.4 %  84.8 %  0.33        89.7 %  85.1 %  0.32
#   all angles         89.7 %  84.9 %  0.66        89.8 %  86.0 %  0.65
#
# Larger and smaller boxes, smaller angles or inverted colours beside these gained nothing more on the former. Lines of
# the detector gain nothing that shows (dev/training-log.md).
#
# A recognizer of lines sees a letter in as few frames as it is wide, so doubtful strips are also read stretched.
# With an early one of today's size, 769 held-out training words and 200 rendered lines, addresses and receipts: as seen
# 92.3 and 78.0 %; stretched by 1.35, too, 92.9 and 81.0 %; by 1.6, 92.5 and 83.5 %; from all angles 92.6 % of words.
_STRETCH = 1.4
_SEEN = 0.1
_TILT = 0.25
_LEGIBLE = 4  # pixels; on fewer there are no angles to be seen


def as_it_lies(strip: Strip) -> list[Strip]:
    """No other angle."""
    return []


def as_seen(strip: Strip) -> list[Strip]:
    """Deskewed, if the picture shows skewed text in a box along its edges."""
    if not _has_angles(strip):
        return []
    seen = climb(strip.pixels)
    return [strip.levelled(math.copysign(_TILT, seen))] if abs(seen) >= _SEEN else []


def stretched(angles: Angles) -> Angles:
    """These angles, and the strip wider than it is: of use to recognizers that keep aspect ratios."""

    def more(strip: Strip) -> list[Strip]:
        softened = [strip.softened()] if strip.is_detailed else []
        return [*angles(strip), strip.stretched(_STRETCH), *softened]

    return more


def all_angles(strip: Strip) -> list[Strip]:
    """As if its text climbed, fell, slanted to the left and to the right."""
    if not _has_angles(strip):
        return []
    return [tilted(tilt) for tilted in (strip.levelled, strip.upright) for tilt in (_TILT, -_TILT)]


def _has_angles(strip: Strip) -> bool:
    return len(strip.polygon) == 4 and min(strip.pixels.shape[:2]) >= _LEGIBLE
