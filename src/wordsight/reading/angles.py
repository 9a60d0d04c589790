"""A doubtful strip from other angles: text that climbs or falls made level, letters that slant made upright."""

import math
from collections.abc import Callable

from wordsight.reading.slopes import climb
from wordsight.reading.strips import Strip

Angles = Callable[[Strip], list[Strip]]
"""The other angles from which a strip is read if its reading is doubtful."""

# Text that is seen to climb or fall by `_SEEN` of its box's height is made level as if it did so by `_TILT`; from all
# angles it is tilted both ways and slanted both ways by that. Right of 767 held-out training words and of 908 rendered
# ones, and how many more looks a word of the former gets:
#
#                      tiny                        small
#   as it lies         82.1 %  75.0 %              85.7 %  81.7 %
#   as seen            84.9 %  75.0 %  0.14        87.0 %  82.4 %  0.13
#   tilted both ways   85.5 %  74.3 %  0.46        87.1 %  82.2 %  0.43
#   all angles         85.7 %  75.7 %  0.92        87.5 %  83.6 %  0.85
#
# Larger and smaller boxes, smaller angles or inverted colours beside these gained nothing more on the former. On 120
# training scenes all angles changed the end-to-end H-mean of `small` from 67.3 to 68.1, of `tiny` from 63.6 to 63.2.
_SEEN = 0.1
_TILT = 0.25
_LEGIBLE = 4  # pixels; on fewer there are no angles to be seen


def as_it_lies(strip: Strip) -> list[Strip]:
    """No other angle."""
    return []


def as_seen(strip: Strip) -> list[Strip]:
    """Made level, if the picture shows text that climbs or falls in a box along its edges."""
    if not _has_angles(strip):
        return []
    seen = climb(strip.pixels)
    return [strip.levelled(math.copysign(_TILT, seen))] if abs(seen) >= _SEEN else []


def slanted(strip: Strip) -> list[Strip]:
    """As if its text slanted to the left and to the right."""
    return [strip.upright(_TILT), strip.upright(-_TILT)] if _has_angles(strip) else []


def all_angles(strip: Strip) -> list[Strip]:
    """As if its text climbed, fell, slanted to the left and to the right."""
    if not _has_angles(strip):
        return []
    return [strip.levelled(_TILT), strip.levelled(-_TILT), *slanted(strip)]


def _has_angles(strip: Strip) -> bool:
    return len(strip.polygon) == 4 and min(strip.pixels.shape[:2]) >= _LEGIBLE
