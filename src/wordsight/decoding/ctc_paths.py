"""Paths through the frames of CTC: what they spell, which texts are likeliest, and which frames say a character."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from wordsight.decoding.arrays import Ids
from wordsight.decoding.readings import Span

Columns = npt.NDArray[np.float64]
"""(T, C + 1) probabilities of every class in every frame."""

Text: TypeAlias = tuple[int, ...]
"""Ids of characters."""

_BEAM = 4  # texts that CTC proposes; with 6 of them 2,002 held-out words are read as well
_LEAST = 0.01  # classes of a frame that are less likely than this are left out


class Spelled(NamedTuple):
    """Characters and where they stand: `ids` (L,), and for each the frames [start, end) that say it."""

    ids: Ids
    runs: npt.NDArray[np.int64]  # (L, 2)

    def part(self, start: int, end: int) -> "Spelled":
        """Some of the characters."""
        return Spelled(self.ids[start:end], self.runs[start:end])


def best_path(columns: Columns, blank: int) -> Spelled:
    """What the likeliest class of every frame (T, C + 1) spells."""
    path = columns.argmax(axis=1)
    starts = np.flatnonzero(np.diff(path, prepend=-1))
    runs = np.stack([starts, np.append(starts[1:], len(path))], axis=1)[path[starts] != blank]
    return Spelled(path[runs[:, 0]] if len(runs) else np.zeros(0, np.int64), runs)


def likeliest_texts(columns: Columns, blank: int, beam: int = _BEAM) -> list[Text]:
    """The texts that frames (T, C + 1) of probabilities most likely spell, found by a prefix beam search."""
    texts: dict[Text, tuple[float, float]] = {(): (1.0, 0.0)}  # ending in a blank, and not
    said = columns > _LEAST
    for column, classes in zip(columns, said, strict=True):
        possible = [(one, float(column[one])) for one in classes.nonzero()[0].tolist()]
        if [one for one, _ in possible] == [blank]:  # as most frames
            texts = {text: ((apart + running) * possible[0][1], 0.0) for text, (apart, running) in texts.items()}
            continue
        following: dict[Text, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for text, (apart, running) in texts.items():
            for one, p in possible:
                if one == blank:
                    following[text][0] += (apart + running) * p
                elif text and text[-1] == one:
                    following[text][1] += running * p
                    following[(*text, one)][1] += apart * p
                else:
                    following[(*text, one)][1] += (apart + running) * p
        kept = sorted(following.items(), key=lambda item: sum(item[1]), reverse=True)[:beam]
        texts = {text: (apart, running) for text, (apart, running) in kept}
    return list(texts)


def places(runs: npt.NDArray[np.int64], frames: int) -> tuple[Span, ...]:
    """From and to of each character, as shares of the width, given the frames (L, 2) that say them.

    CTC says a character anywhere inside it. A character reaches half-way to its neighbours, at the ends of the text as
    far as characters of this text do in the median.
    """
    if not len(runs):
        return ()
    middles = [(start + end) / 2 for start, end in runs.tolist()]
    half = median(right - left for left, right in pairwise(middles)) / 2 if len(middles) > 1 else 1.5
    edges = [middles[0] - half, *((left + right) / 2 for left, right in pairwise(middles)), middles[-1] + half]
    return tuple(pairwise(min(max(edge, 0.0), frames) / frames for edge in edges))


def probability(columns: Columns, ids: Ids | Text, blank: int) -> float:
    """How probable it is that frames (T, C + 1) spell `ids` (L,), see `text_probabilities`."""
    return float(text_probabilities(columns, [ids], blank)[0])


def text_probabilities(columns: Columns, texts: Sequence[Ids | Text], blank: int) -> npt.NDArray[np.float64]:
    """How probable it is that independent frames spell each text: the sum over all paths that do. Returns (K,).

    Args:
        columns: (T, C + 1) probabilities of every class in every frame.
        texts: The characters (L,) of K texts.
        blank: The class that stands for none.
    """
    lengths = np.array([len(ids) for ids in texts])
    states = np.full((len(texts), 2 * lengths.max() + 1), blank)
    skips = np.zeros(states.shape)
    for row, ids in enumerate(texts):
        states[row, : 2 * len(ids) + 1], skips[row, : 2 * len(ids) + 1] = _states(np.asarray(ids, np.int64), blank)
    said = columns[:, states]
    before = np.zeros((len(texts), states.shape[1] + 2))  # of paths that end in each state, after two that are none
    before[:, 2] = 1.0  # nothing spelled yet, as if a blank stood before the first frame
    here, one_back, two_back = before[:, 2:], before[:, 1:-1], before[:, :-2]
    sums = np.empty(states.shape)
    for column in said:
        np.multiply(skips, two_back, out=sums)
        sums += one_back
        sums += here
        np.multiply(sums, column, out=here)
    rows, last = np.arange(len(texts)), 2 * lengths + 2
    return np.asarray(before[rows, last] + before[rows, last - 1])  # the last character, or the blank after it


def aligned(columns: npt.NDArray[np.float64], ids: Ids, blank: int) -> npt.NDArray[np.int64]:
    """The frames [start, end) (L, 2) that say each character of a known text, on the likeliest path that spells it.

    Args:
        columns: (T, C + 1) log-probabilities of every class in every frame.
        ids: (L,) the characters; where there are too few frames for them, they share frames evenly.
        blank: The class that stands for none.
    """
    path, likelihood = _likeliest_path(columns, ids, blank)
    said = [np.flatnonzero(path == 2 * k + 1) for k in range(len(ids))]
    if likelihood == -np.inf or not all(map(len, said)):
        edges = np.linspace(0, len(columns), len(ids) + 1)
        return np.array([(int(a), max(int(a) + 1, int(b))) for a, b in pairwise(edges)], np.int64).reshape(-1, 2)
    return np.array([(where[0], where[-1] + 1) for where in said], np.int64).reshape(-1, 2)


def _likeliest_path(columns: npt.NDArray[np.float64], ids: Ids, blank: int) -> tuple[Ids, float]:
    """The state (T,) that each frame is in on the likeliest path that spells `ids`, and its log-probability."""
    states, skips = _states(ids, blank)
    best = np.full(len(states), -np.inf)
    best[:2] = columns[0, states[:2]]
    steps = np.zeros((len(columns), len(states)), np.int64)  # states further on than the frame before
    for t, column in enumerate(columns[1:], 1):
        one = np.concatenate([[-np.inf], best[:-1]])
        two = np.where(skips, np.concatenate([[-np.inf, -np.inf], best[:-2]]), -np.inf)[: len(states)]
        ways = np.stack([best, one, two])
        steps[t] = ways.argmax(axis=0)
        best = ways.max(axis=0) + column[states]
    state = len(states) - 1 if len(states) < 2 or best[-1] >= best[-2] else len(states) - 2
    likelihood = float(best[state])
    path = np.empty(len(columns), np.int64)
    for t in range(len(columns) - 1, -1, -1):
        path[t] = state
        state -= steps[t, state]
    return path, likelihood


def _states(ids: Ids, blank: int) -> tuple[Ids, npt.NDArray[np.bool_]]:
    """What a path through the frames passes, blank c1 blank c2 ... blank, and which of it may be reached past a blank.

    A character may follow the one before without a blank between them unless they are equal.
    """
    states = np.full(2 * len(ids) + 1, blank)
    states[1::2] = ids
    skips = np.zeros(len(states), bool)
    skips[3::2] = ids[1:] != ids[:-1]
    return states, skips
