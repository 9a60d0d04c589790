"""Labelled words joined to the lines that a detector of lines is to find."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wordsight.data.scenes import SceneWord
from wordsight.imaging.geometry import around, word_height

_GAP = 0.9  # of the height, to the next word of a line
_OVERLAP = 0.4  # of the height, by which words may reach into each other
_OFFSET = 0.4  # of the smaller height, off the line
_SIZES = 1.6  # between heights
_TURN = 0.94  # least cosine between directions


def lines_of(words: Sequence[SceneWord]) -> tuple[SceneWord, ...]:
    """Words (see `SceneWord`) that follow each other closely in a row as one, if both or neither can be read."""
    if not words:
        return ()
    ends = np.array([_ends(word.polygon) for word in words])  # (N, 2, 2): middles of the left and the right side
    along = ends[:, 1] - ends[:, 0]
    right = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    height = np.array([max(word_height(word.polygon), 1.0) for word in words])
    legible = np.array([word.legible for word in words])
    four = np.array([len(word.polygon) == 4 for word in words])
    gap = ends[None, :, 0] - ends[:, None, 1]  # (N, N, 2): from the end of the first to the start of the second
    forward = (gap * right[:, None]).sum(2) / height[:, None]
    beside = np.abs(gap[..., 0] * right[:, None, 1] - gap[..., 1] * right[:, None, 0])
    least, most = np.minimum(height[:, None], height), np.maximum(height[:, None], height)
    follows = (
        (forward > -_OVERLAP)
        & (forward < _GAP)
        & (beside < _OFFSET * least)
        & (most < _SIZES * least)
        & (right @ right.T > _TURN)
        & (legible[:, None] == legible)
        & four[:, None]
        & four
    )
    np.fill_diagonal(follows, False)
    forward = np.where(follows, np.abs(forward), np.inf)
    nearest, before = forward.argmin(axis=1), forward.argmin(axis=0)
    following = {i: int(j) for i, j in enumerate(nearest) if follows[i, j] and before[j] == i}
    lines = []
    for i in sorted(set(range(len(words))) - set(following.values())):
        line = [i]
        while line[-1] in following:
            line.append(following[line[-1]])
        lines.append(_joined([words[k] for k in line]))
    return tuple(lines)


def _joined(words: Sequence[SceneWord]) -> SceneWord:
    if len(words) == 1:
        return words[0]
    text = " ".join(word.text for word in words)
    return SceneWord(around([word.polygon for word in words]), text, words[0].legible)


def _ends(polygon: NDArray[np.float64]) -> NDArray[np.float64]:
    """The middles (2, 2) of a word's left and right side."""
    half = len(polygon) // 2
    return np.array([polygon[0] + polygon[-1], polygon[half - 1] + polygon[half]]) / 2
