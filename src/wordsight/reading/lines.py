"""Strips to words: all ways up read in one go, the best kept, doubtful ones looked at again, lines cut into words."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wordsight.decoding import Char, Reading
from wordsight.decoding.readings import Span
from wordsight.imaging.geometry import FEW
from wordsight.reading.angles import Angles, as_it_lies
from wordsight.reading.strips import Look, Strip
from wordsight.results import Word, as_polygon

ReadLooks = Callable[[list[Look]], list[Reading]]
"""Reads pictures of a word or a line."""

Turn: TypeAlias = Literal["no", "each", "photo"]
"""Which doubtful strips may be upside down: none; each; or those of one photo, whose text mostly has one way up."""

# Mean probability of a character, and probability of the whole text, below which a line is looked at again from other
# angles and stretched.
# Of 2,003 held-out words 91.0 % are read so (87.2 % exactly), 90.7 % (86.6 %) with 0.8 and 0.3, which takes a tenth
# less time, and as many as so with 0.85 and 0.5 or 0.8 and 0.55. The whole counts in long texts.
_DOUBTFUL, _DOUBTFUL_WHOLE = 0.8, 0.5
# The same from which text is not looked at upside down. A recognizer is rather sure of text that is, too ("1010H":
# 0.94, "Hotel"): of 350 words turned by 180 degrees 183 have a mean of 0.8 or more, 97 one of 0.9.
_UPRIGHT, _UPRIGHT_WHOLE = 0.9, 0.5
# By how much another way up must be better than the one in which the picture shows the box; of several letters in a
# tall box, by how much worse it may be. Squeezed into a word's shape tall boxes look like one another, and the
# recognizer takes many for the few tall words it has learned ("SALE", 0.92). Of 384 held-out training words turned
# by 90 or 270 degrees 83.6 % were read so, 79.4 % with 0 in place of 0.1; as many of the 17 tall held-out words. One or
# two letters, which may well stand upright in a tall box, keep their advantage (14 of 18 training crops right, 13
# without).
_NEAR_TIE = 0.05
# In a photo where so many lines are surely read, only odd ones are looked at upside down: of 398 training scenes the
# same words are read, with a third fewer looks.
_FEW_SURE = 2
# Lines of one sign so many times over are bars, tiles or windows if they stand up or down the photo, or if it has so
# many lines of letters or digits of this kind; rulers of dashes or dots do occur on receipts.
_AGAIN, _ALL_OVER = 4, 3
_UNLIKELY = 0.1

_MARGIN = 0.1  # of the height, kept left and right of a word that is cut out of a line
# Of the height by which words may reach beyond what their frames say: to the left up to their first ink, as frames say
# letters late, to the right as far as their ink goes on. In the labels' frame 1,907 words of detected lines began 0.18
# heights too late in the median and ended 0.05 too early. The H-mean of their scenes is 88.2 % so, 87.7 % without.
_BEYOND = 0.2
_INK = 0.15  # of a word's largest contrast: columns of pixels with less at its ends are background
_MOST_TRIMMED = 0.5  # of the height, at either end


@dataclass(frozen=True)
class Attempt:
    """What one way up of a box says, as a whole.

    `words`: the readings of its words and where each stands, in pixels along the strip. One, all over the strip, where
    the recognizer does not tell.
    """

    strip: Strip
    reading: Reading
    words: tuple[tuple[Span, Reading], ...]

    @classmethod
    def of(cls, strip: Strip, reading: Reading) -> "Attempt":
        """With the words that the reading names."""
        width = strip.pixels.shape[1]
        words = [
            ((word.places[0][0] * width, word.places[-1][1] * width) if word.places else (0.0, float(width)), word)
            for word in reading.words or (reading,)
        ]
        return cls(strip, reading, tuple(words))

    @property
    def mean(self) -> float:
        """The geometric mean of the probabilities of all characters and of the end."""
        return math.exp(math.log(max(self.reading.clarity, 1e-300)) / (self.length + 1))

    @property
    def score(self) -> float:
        """The mean, less for short texts: how ways up compare.

        A recognizer is often sure of one letter in text that lies on its side (an I, a dash), rarely of five.
        """
        return self.mean * (1 - 0.4**self.length) if self.length else 0.5 * self.mean

    @property
    def probability(self) -> float:
        """That all of it is right: 0 where there is no text."""
        return self.reading.clarity if self.length else 0.0

    @property
    def is_doubtful(self) -> bool:
        """Whether another look may say something else."""
        return self.mean < _DOUBTFUL or self.reading.clarity < _DOUBTFUL_WHOLE

    @property
    def is_upright(self) -> bool:
        """Whether it is so sure that text is not upside down."""
        return self.mean >= _UPRIGHT and self.reading.clarity >= _UPRIGHT_WHOLE

    @property
    def is_odd(self) -> bool:
        """Whether it may be upside down though other text in the photo is not."""
        return self.is_doubtful and self.length > 0 and not self.strip.is_small

    @property
    def is_monotonous(self) -> bool:
        """Whether it says one sign again and again."""
        return self.length >= _AGAIN and len({*self.reading.text} - {" "}) == 1

    @property
    def runs_down(self) -> bool:
        """Whether it runs up or down the photo."""
        top = self.strip.polygon[len(self.strip.polygon) // 2 - 1] - self.strip.polygon[0]
        return bool(abs(top[1]) > abs(top[0]))

    @property
    def is_sure(self) -> bool:
        """Whether it says which way up text is."""
        return self.mean >= _UPRIGHT and self.length > FEW

    @property
    def length(self) -> int:
        """Characters."""
        return len(self.reading.chars)


def read_strips(
    strips: Sequence[Strip], read: ReadLooks, *, turn: Turn = "no", angles: Angles = as_it_lies
) -> list[Attempt]:
    """Reads every strip in the way in which it is read most surely.

    A tall strip is read as it stands, turned to either side and as a stack of letters. Any other is read in other ways
    only if its reading is doubtful.

    Args:
        strips: boxes as the picture shows them.
        read: called at most twice, each time with all looks there are.
        turn: which doubtful ones may be upside down.
        angles: from which other angles doubtful ones are read. What the readings agree on counts; where nothing was
            read, only what is surely read does.
    """
    ways = [_ways(strip) if strip.is_tall else [strip] for strip in strips]
    best = [_best(attempts) for attempts in _attempts(ways, read)]
    one_way_up = turn == "photo" and sum(attempt.is_sure for attempt in best) >= _FEW_SURE
    tilted: list[list[Strip]] = [[] for _ in strips]
    turned: list[list[Strip]] = [[] for _ in strips]
    for i, (strip, attempt) in enumerate(zip(strips, best, strict=True)):
        if strip.is_tall:
            continue
        if attempt.is_doubtful:
            tilted[i] = angles(attempt.strip, attempt.length > 0)
        if turn != "no" and (strip.is_bent or (attempt.is_odd if one_way_up else not attempt.is_upright)):
            turned[i] = [attempt.strip.turned(2)]
    again = _attempts([a + b for a, b in zip(tilted, turned, strict=True)], read)
    for i, (its_angles, attempts) in enumerate(zip(tilted, again, strict=True)):
        others = attempts[: len(its_angles)]
        agreed = _agreed([best[i], *(other for other in others if best[i].length or other.is_sure)])
        best[i] = _best([agreed, *attempts[len(its_angles) :]])
    return best


def without_gratings(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Those of a photo that are text, not bars, tiles or windows that look like one sign again and again."""

    def is_of_letters(attempt: Attempt) -> bool:
        return attempt.is_monotonous and attempt.reading.text.strip()[0].isalnum()

    all_over = sum(map(is_of_letters, attempts)) >= _ALL_OVER
    return [a for a in attempts if not ((a.is_monotonous and a.runs_down) or (all_over and is_of_letters(a)))]


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
    votes: defaultdict[str, float] = defaultdict(float)
    for attempt in attempts:
        votes[attempt.reading.text] += attempt.probability
    text = max(votes, key=votes.__getitem__)
    return max((attempt for attempt in attempts if attempt.reading.text == text), key=lambda found: found.probability)


def _attempts(ways: Sequence[Sequence[Strip]], read: ReadLooks) -> list[list[Attempt]]:
    """For each strip and each of its ways up what it says, all read together."""
    looks = [strip.look() for strips in ways for strip in strips]
    readings: Iterator[Reading] = iter(read(looks) if looks else ())
    return [[Attempt.of(strip, next(readings)) for strip in strips] for strips in ways]


def read_by_words(
    strips: Sequence[Strip], read: ReadLooks, find: ReadLooks, *, turn: Turn = "no", angles: Angles = as_it_lies
) -> list[Attempt]:
    """`read_strips` with a recognizer that takes one word at a time.

    Args:
        strips: as in `read_strips`.
        read: by that recognizer.
        find: by a reader of lines, which says where the words are in strips that have room for several.
        turn: as in `read_strips`.
        angles: as in `read_strips`, of single words.
    """
    wide = [i for i, strip in enumerate(strips) if strip.may_be_a_line]
    attempts = dict(zip(wide, read_strips([strips[i] for i in wide], find, turn=turn), strict=True))
    lines = {i: attempt for i, attempt in attempts.items() if len(attempt.words) > 1}
    of_lines = iter(_read_again(list(lines.values()), read))
    rest = [strip for i, strip in enumerate(strips) if i not in lines]
    of_rest = iter(read_strips(rest, read, turn=turn, angles=angles))
    return [next(of_lines) if i in lines else next(of_rest) for i in range(len(strips))]


def _read_again(attempts: Sequence[Attempt], read: ReadLooks) -> list[Attempt]:
    """Lines of several words with each word read by itself."""
    spans = [_spans(attempt) for attempt in attempts]
    looks = [attempt.strip.look(span) for attempt, some in zip(attempts, spans, strict=True) for span in some]
    readings = iter(read(looks) if looks else ())
    out = []
    for attempt, some in zip(attempts, spans, strict=True):
        found = [(span, next(readings)) for span in some]
        words = [(span, reading) for span, reading in found if reading.text] or found[:1]
        out.append(replace(attempt, reading=_line([reading for _, reading in words]), words=tuple(words)))
    return out


def _spans(attempt: Attempt) -> list[Span]:
    """Of the words of a line, with a little of the background left and right, but nothing of their neighbours."""
    height, width = attempt.strip.pixels.shape[:2]
    spans = [span for span, _ in attempt.words]
    margin = _MARGIN * height
    borders = [0.0, *((left[1] + right[0]) / 2 for left, right in pairwise(spans)), float(width)]
    return [(max(borders[i], x0 - margin), min(borders[i + 1], x1 + margin)) for i, (x0, x1) in enumerate(spans)]


def _line(words: Sequence[Reading]) -> Reading:
    """Words as one text."""
    if len(words) == 1:
        return words[0]
    chars = list(words[0].chars)
    for word in words[1:]:
        chars += [Char(" ", 1.0), *word.chars]  # a gap that was seen without reading
    free = math.prod(word.clarity for word in words)
    confidence = math.prod(word.confidence for word in words)
    outside = any(word.outside for word in words)
    return Reading(" ".join(word.text for word in words), confidence, tuple(chars), outside, free, words=tuple(words))


def words(attempt: Attempt) -> list[Word]:
    """The words of a line."""
    out: list[Word] = []
    spans = [span for span, _ in attempt.words]
    ends = [-math.inf, *(end for _, end in spans)]
    starts = [*(start for start, _ in spans), math.inf]
    for i, (span, reading) in enumerate(attempt.words):
        room = (ends[i] + span[0]) / 2, (span[1] + starts[i + 1]) / 2
        drawn = _to_ink(attempt.strip.pixels, span, room) if reading.places or len(spans) > 1 else span
        polygon = as_polygon(attempt.strip.outline(drawn))
        out += [Word(word, conf, polygon, chars, reading.outside) for word, conf, chars in _apart(reading)]
    return out


def _apart(reading: Reading) -> Iterator[tuple[str, float, tuple[Char, ...]]]:
    """Text, confidence and characters of a reading's words, of which a recognizer that tells no places can see more."""
    if not reading.chars:  # nor does a recognizer of others need to tell characters
        yield from ((word, reading.confidence, ()) for word in reading.text.split())
        return
    borders = [-1, *(i for i, char in enumerate(reading.chars) if char.text == " "), len(reading.chars)]
    runs = [reading.chars[a + 1 : b] for a, b in pairwise(borders) if b > a + 1]
    for run in runs:
        confidence = reading.confidence if len(runs) == 1 else math.prod(char.probability for char in run)
        yield "".join(char.text for char in run), confidence, run


def one_word(attempt: Attempt) -> Word:
    """The whole text of a box as one word, with the spaces within it. Empty if there is none."""
    reading = attempt.reading
    text = reading.text.strip(" ")  # wide margins are sometimes read as spaces
    begin = len(reading.text) - len(reading.text.lstrip(" "))
    chars = reading.chars[begin : begin + len(text)]
    return Word(text, reading.confidence, as_polygon(attempt.strip.polygon), chars, reading.outside)


def _to_ink(pixels: NDArray[np.uint8], span: Span, room: Span) -> Span:
    """A word's span without the background at its ends, and with ink of it that lies beyond them within its room."""
    height, width = pixels.shape[:2]
    first = max(span[0] - _BEYOND * height, min(span[0], room[0]), 0.0)
    last = min(span[1] + _BEYOND * height, max(span[1], room[1]), float(width))
    start, end = math.floor(first), min(width, math.ceil(span[1]))
    if end - start < 3:
        return span
    contrast = np.ptp(pixels[:, start : math.ceil(last)].mean(axis=2), axis=0)
    least = contrast[: end - start].min() + _INK * np.ptp(contrast[: end - start])
    ink = np.flatnonzero(contrast[: end - start] >= least)
    most = _MOST_TRIMMED * height
    left = max(first, min(start + float(ink[0]) - 1, first + most))
    right = max(start + float(ink[-1]) + 2, span[1] - most)
    if right <= span[1]:
        return left, right
    more = int(np.append(contrast[end - start :] < least, True).argmax())  # columns on which the ink goes on
    return left, max(span[1], min(last, float(end + more + 1))) if more else span[1]
