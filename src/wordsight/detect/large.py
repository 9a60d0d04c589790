"""Large letters, of which the network sees no more than parts unless it is shown a small copy of the picture."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wordsight.detect.maps import Region
from wordsight.imaging.geometry import word_height

REDUCED = 4
"""How many times smaller the copy is: it costs a sixteenth of the picture's own time."""

_LARGE = 96.0  # pixels of the network's input: the height from which on text is looked for in the copy
_HINT = 64.0  # pixels: some part of large letters is so high, if any was found: of 69 pictures with such in all but one
_TALL = 2.0  # times as high as wide: no row of letters
_SAME, _SAME_BENT = 0.85, 0.6  # intersection over union of outlines of one text, straight or bent in the picture
_PART = 0.15, 0.7  # shares of a region inside another: more is nothing, more is all of it
_LOWER = 0.6  # of the height of large letters: what is lower is other text ...
_MUCH = 0.05  # ... if it covers as much of them ...
_LESS_SURE = 0.1  # ... and is not so much less surely found, as dots of print are, seen one by one


def suggest_large(polygons: Sequence[NDArray[np.float64]]) -> bool:
    """Whether what was found, in pixels of the network's input, may be part of large letters; nothing may, too."""
    return max(map(word_height, polygons), default=_LARGE) >= _HINT


def is_large(polygon: NDArray[np.float64]) -> bool:
    """Whether a region, in pixels of the network's input, is text that may be seen better in the copy."""
    width = float(np.linalg.norm(polygon[len(polygon) // 2 - 1] - polygon[0]))
    return _LARGE <= word_height(polygon) <= _TALL * width


def with_large(regions: Sequence[Region], copied: Sequence[Region]) -> list[Region]:
    """The regions of a picture, and those of its small copy that only parts of were found at its own size.

    Parts give way to the whole. Where they may be other text, as large letters are painted on a wall of notices, they
    stay, and the large region is left out.

    Args:
        regions: of the picture, in its pixels.
        copied: of its copy, in pixels of the picture, of large letters alone.
    """
    if not copied:
        return list(regions)
    import shapely

    outlines = [shapely.Polygon(polygon).convex_hull for polygon, _ in regions]  # the copy straightens what is bent
    same = np.array([_SAME if len(polygon) == 4 else _SAME_BENT for polygon, _ in regions])
    areas = np.array([outline.area for outline in outlines])
    parts: set[int] = set()
    added: list[Region] = []
    for region in copied:
        outline = shapely.Polygon(region[0]).convex_hull
        shared = np.array([outline.intersection(other).area for other in outlines])
        if (shared >= same * (areas + outline.area - shared)).any():
            continue
        some, most = (share * areas for share in _PART)
        letter = shared > _PART[1] * outline.area  # of a line that was found whole
        if ((shared < most) & ((shared > some) | letter)).any():
            continue
        inside = np.flatnonzero((areas > 0) & (shared >= most)).tolist()
        highest = max((word_height(regions[i][0]) for i in inside), default=0.0)
        covered = shared[inside].sum()
        if highest < _LOWER * word_height(region[0]) and covered >= _MUCH * outline.area:
            score = sum(shared[i] * regions[i][1] for i in inside) / covered
            if score > region[1] - _LESS_SURE:
                continue
        parts.update(inside)
        added.append(region)
    return [region for i, region in enumerate(regions) if i not in parts] + added
