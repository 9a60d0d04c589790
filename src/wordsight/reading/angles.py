"""A doubtful strip from other angles: skewed text made level, slanted letters made upright."""

import math
from typing import Protocol

from wordsight.reading.slopes import climb
from wordsight.reading.strips import Strip


class Angles(Protocol):
    """The other angles from which a strip is read if its reading is doubtful."""

    def __call__(self, strip: Strip, legible: bool = True) -> list[Strip]:
        """Strips; `legible` says whether something was read at all."""


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
# Softened, if it has detail to lose, it shows the strokes of dot-matrix print: of 2,002 held-out and rendered words
# 90.1 % are right with that, 89.7 % without, of 400 rendered ones 86.9 and 85.4 %, for 2 looks more in a hundred words.
# Stretched alone, without another look to agree with, it tells nothing: of 71 doubtful ones of 2,098 held-out and
# rendered words one was right by that, one wrong.
_STRETCH = 1.4
_SEEN = 0.1
_TILT = 0.25
_LEGIBLE = 4  # pixels; on fewer there are no angles to be seen


def as_it_lies(strip: Strip, legible: bool = True) -> list[Strip]:
    """No other angle."""
    return []


def as_seen(strip: Strip, legible: bool = True) -> list[Strip]:
    """Deskewed, if the picture shows skewed text in a box along its edges."""
    if not legible or not _has_angles(strip):
        return []
    seen = climb(strip.pixels)
    return [strip.levelled(math.copysign(_TILT, seen))] if abs(seen) >= _SEEN else []


def all_angles(strip: Strip, legible: bool = True) -> list[Strip]:
    """As if its text climbed, fell, slanted to the left and to the right."""
    if not legible or not _has_angles(strip):
        return []
    return [tilted(tilt) for tilted in (strip.levelled, strip.upright) for tilt in (_TILT, -_TILT)]


def softened(strip: Strip, legible: bool = True) -> list[Strip]:
    """With little of its detail, if it has much: of use to recognizers that keep aspect ratios."""
    return [strip.softened()] if strip.is_detailed else []


def for_lines(angles: Angles) -> Angles:
    """These angles, the strip wider than it is, and softened: of use to recognizers that keep aspect ratios."""

    def more(strip: Strip, legible: bool = True) -> list[Strip]:
        seen, soft = angles(strip, legible), softened(strip)
        wide = [strip.stretched(_STRETCH)] if legible and (seen or soft) else []
        return [*seen, *wide, *soft]

    return more


def _has_angles(strip: Strip) -> bool:
    return len(strip.polygon) == 4 and min(strip.pixels.shape[:2]) >= _LEGIBLE
