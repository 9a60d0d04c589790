"""Strips to words: all ways up read in one go, the best kept, doubtful ones looked at again, texts cut at spaces."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wordsight.decoding import Char, Reading
from wordsight.detect import split_words
from wordsight.imaging.geometry import FEW
from wordsight.reading.angles import Angles, as_it_lies
from wordsight.reading.strips import Look, Piece, Strip, pieces, with_margins
from wordsight.reading.windows import Span, ending, merge
from wordsight.results import Word, as_polygon

SPLIT_LINES = True
"""Whether detected lines are split into words before they are read. If not, they are read with their spaces."""

ReadCrops = Callable[[list[Look]], list[Reading]]
"""Reads crops in batches."""

# Mean probability of a character below which a line is also tried upside down. A recognizer is rather sure of text that
# stands on its head, too ("1010H" for Hotel: 0.94). Against 0.8 it takes 4 % more time, and on 60 training scenes reads
# the same words.
_DOUBTFUL = 0.95
# By how much another way up must be better than the one in which the picture shows the box; of several letters in a
# tall box, by how much worse it may be. Squeezed into a word's shape tall boxes look like one another, and the
# recognizer takes many for the few tall words that it has learnt ("SALE", 0.92). Of 384 held-out training words turned
# by 90 or 270 degrees 83.6 % were read so, 79.4 % with 0 in place of 0.1; as many of the 17 tall held-out words. One or
# two letters, which may well stand upright in a tall box, keep their advantage (14 of 18 training crops right, 13
# without).
_NEAR_TIE = 0.05
_UNLIKELY = 0.1
# By how much the words of a doubtful gap must be better than the text read whole (0: end-to-end H-mean 56.5, not 56.7).
_NEARLY = 0.03


@dataclass(frozen=True)
class Attempt:
    """What one way up of a box says: a reading for each piece."""

    strip: Strip
    pieces: tuple[Piece, ...]
    readings: tuple[Reading, ...]

    @property
    def mean(self) -> float:
        """The geometric mean of the probabilities of all characters and word ends, pieces without text left out."""
        return _mean(self.readings)

    @property
    def score(self) -> float:
        """The mean, less for short texts: how ways up compare.

        A recognizer is often sure of one letter in text that lies on its side (an I, a dash), rarely of five.
        """
        return self.mean * (1 - 0.4**self.length) if self.length else 0.5 * self.mean

    @property
    def probability(self) -> float:
        """That all of it is right: 0 where there is no text."""
        return math.prod(reading.clarity for reading in self.readings if reading.text) if self.length else 0.0

    @property
    def texts(self) -> tuple[str, ...]:
        """Those of its pieces."""
        return tuple(reading.text for reading in self.readings)

    @property
    def length(self) -> int:
        """Characters."""
        return sum(len(reading.chars) for reading in self.readings)


def read_strips(
    strips: Sequence[Strip], read: ReadCrops, *, split: bool, turn: bool = False, angles: Angles = as_it_lies
) -> list[Attempt]:
    """Reads every strip in the way in which it is read most surely.

    A tall strip is read as it stands, turned to either side and as a stack of letters. Any other is read in other ways
    only if its reading is doubtful.

    Args:
        strips: boxes as the picture shows them.
        read: called at most twice, each time with all crops there are.
        split: whether the strips are lines, to be split into words.
        turn: whether doubtful ones may stand on their heads.
        angles: from which other angles doubtful ones are read, if there is text. What the readings agree on counts.
    """
    ways = [_ways(strip) if strip.is_tall else [strip] for strip in strips]
    best = [_best(attempts) for attempts in _attempts(ways, read, split)]
    doubtful = [i for i, attempt in enumerate(best) if not strips[i].is_tall and attempt.mean < _DOUBTFUL]
    tilted = [angles(best[i].strip) if best[i].length else [] for i in doubtful]
    turned = [[best[i].strip.turned(2)] if turn else [] for i in doubtful]
    again = _attempts([a + b for a, b in zip(tilted, turned, strict=True)], read, split)
    for i, its_angles, attempts in zip(doubtful, tilted, again, strict=True):
        agreed = _agreed([best[i], *attempts[: len(its_angles)]])
        best[i] = _best([agreed, *attempts[len(its_angles) :]])
    return best


def _ways(strip: Strip) -> list[Strip]:
    """Those in which a tall strip may be read, the one that the picture shows first."""
    ways = [strip, strip.turned(1), strip.turned(3)]
    unstacked = strip.unstacked()
    return ways if unstacked is None else [*ways, unstacked]


def _best(attempts: Sequence[Attempt]) -> Attempt:
    upright, *others = attempts
    if not others:
        return upright
    surest = max(others, key=lambda attempt: attempt.score)
    advantage = -_UNLIKELY if upright.strip.is_tall and upright.length > FEW else _NEAR_TIE
    return surest if surest.score > upright.score + advantage else upright


def _agreed(attempts: Sequence[Attempt]) -> Attempt:
    """The surest of those that say what, their probabilities added up, is said most. Two cannot outvote each other."""
    if len(attempts) <= 2:
        return _best(attempts)
    votes: defaultdict[tuple[str, ...], float] = defaultdict(float)
    for attempt in attempts:
        votes[attempt.texts] += attempt.probability
    texts = max(votes, key=votes.__getitem__)
    return max((attempt for attempt in attempts if attempt.texts == texts), key=lambda attempt: attempt.probability)


def _attempts(ways: Sequence[Sequence[Strip]], read: ReadCrops, split: bool) -> list[list[Attempt]]:
    """For each strip and each of its ways up what it says, all read together."""
    parts = [[(strip, pieces(strip, split=split)) for strip in strips] for strips in ways]
    crops = [
        _look(strip, look)
        for strips in parts
        for strip, its_pieces in strips
        for piece in its_pieces
        for each in (piece, *piece.parts)
        for look in each.looks
    ]
    readings = iter(read(crops)) if crops else iter(())
    return [[_attempt(strip, its_pieces, readings) for strip, its_pieces in strips] for strips in parts]


def _attempt(strip: Strip, its_pieces: Sequence[Piece], readings: Iterator[Reading]) -> Attempt:
    """The next readings put together; where a piece was read whole and in parts, those of which the reader is surer."""
    chosen: list[tuple[Piece, Reading]] = []
    for piece in its_pieces:
        whole, *parts = [
            (each, merge([next(readings) for _ in each.looks], each.looks)) for each in (piece, *piece.parts)
        ]
        apart = bool(parts) and _mean([reading for _, reading in parts]) > _mean([whole[1]]) + _NEARLY
        chosen += parts if apart else [whole]
    return Attempt(strip, tuple(piece for piece, _ in chosen), tuple(reading for _, reading in chosen))


def _mean(readings: Sequence[Reading]) -> float:
    """The geometric mean of the probabilities of all characters and word ends, empty readings left out."""
    full = [reading for reading in readings if reading.text] or readings
    count = sum(len(reading.chars) + 1 for reading in full)
    return math.exp(sum(math.log(max(reading.clarity, 1e-300)) for reading in full) / count)


def _look(strip: Strip, span: Span) -> Look:
    scene = strip.scene
    if scene is not None and scene.box is None:
        scene = scene.at(strip.outline(span))
    return Look(_cut(strip.pixels, span), scene)


def _cut(pixels: NDArray[np.uint8], span: Span) -> NDArray[np.uint8]:
    width = pixels.shape[1]
    start = min(max(0, math.floor(span[0])), width - 1)
    return pixels[:, start : max(start + 1, math.ceil(span[1]))]


def words(attempt: Attempt) -> list[Word]:
    """The words of a line, pieces without text left out."""
    out: list[Word] = []
    for piece, reading in zip(attempt.pieces, attempt.readings, strict=True):
        runs = _runs(reading.chars)
        spans = _places(attempt.strip, piece.span, runs, reading.chars)
        for k, ((first, last), span) in enumerate(zip(runs, spans, strict=True)):
            chars = reading.chars[first:last]
            end = ending(reading) if k == len(runs) - 1 else 1.0
            confidence = end * math.prod(char.probability for char in chars)
            text = "".join(char.text for char in chars)
            out.append(Word(text, confidence, as_polygon(attempt.strip.outline(span)), chars, reading.outside))
    return out


def one_word(attempt: Attempt) -> Word:
    """The whole text of a box as one word, spaces and all. Empty if there is none."""
    full = [reading for reading in attempt.readings if reading.text] or attempt.readings[:1]
    chars = list(full[0].chars)
    for reading in full[1:]:
        chars += [Char(" ", 1.0), *reading.chars]  # a gap so wide that it was seen without reading
    confidence = math.prod(reading.confidence for reading in full)
    text = "".join(char.text for char in chars)
    outside = any(reading.outside for reading in full)
    return Word(text, confidence, as_polygon(attempt.strip.polygon), tuple(chars), outside)


def _runs(chars: Sequence[Char]) -> list[tuple[int, int]]:
    """From and to of the runs of characters that are not spaces."""
    edges = np.flatnonzero(np.diff([0, *(char.text != " " for char in chars), 0]))
    return [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]


def _places(strip: Strip, span: Span, runs: Sequence[tuple[int, int]], chars: Sequence[Char]) -> list[Span]:
    """Where the words of one piece stand: at the likeliest gaps in the picture, or, lacking gaps, by letters."""
    if len(runs) <= 1:
        return [span] * len(runs)
    pixels = _cut(strip.pixels, span)
    texts = ["".join(char.text for char in chars[first:last]) for first, last in runs]
    seen = with_margins(split_words(pixels, texts=texts), *pixels.shape[:2])
    if len(seen) == len(runs):
        return [(span[0] + x0, span[0] + x1) for x0, x1 in seen]
    letter = (span[1] - span[0]) / len(chars)
    return [(span[0] + first * letter, span[0] + last * letter) for first, last in runs]
