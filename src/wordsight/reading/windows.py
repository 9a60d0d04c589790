"""Lines that are too long for one look: windows that overlap, and their readings joined where both agree longest."""

import math
from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import pairwise

from wordsight.decoding import Char, Reading
from wordsight.decoding.readings import Span

WINDOW = 40.0  # heights of a line: about 80 characters
OVERLAP = 8.0  # heights that neighbouring windows share


def windows(height: int, width: int) -> list[Span]:
    """From and to, in pixels, of the windows of a line of this size: one, or as many as it takes, equally far apart."""
    size = min(width, WINDOW * height)
    count = 1 + max(0, math.ceil((width - size) / ((WINDOW - OVERLAP) * height)))
    step = (width - size) / (count - 1) if count > 1 else 0.0
    return [(k * step, k * step + size) for k in range(count)]


def joined(readings: Sequence[Reading], windows: Sequence[Span], width: int) -> Reading:
    """One reading of the line that overlapping windows show, with every character once.

    Where two windows overlap their texts are compared, and joined in the middle of the longest piece that both read.
    The confidence is that of all windows; that of a word on a seam the smaller one of two.

    Args:
        readings: what each window says, left to right, with places.
        windows: where each lies, in pixels.
        width: of the line, in pixels.
    """
    if len(readings) == 1:
        return readings[0]
    spans = [(start / width, end / width) for start, end in windows]
    chars: list[Char] = []
    places: list[Span] = []
    for number, (reading, (start, end)) in enumerate(zip(readings, spans, strict=True)):
        here = [(start + a * (end - start), start + b * (end - start)) for a, b in reading.places]
        kept, first = len(chars), 0
        if number:
            kept, first = _seam(chars, places, reading.chars, here, (start, spans[number - 1][1]))
        chars = [*chars[:kept], *reading.chars[first:]]
        places = [*places[:kept], *here[first:]]
    whole = Reading(
        "".join(char.text for char in chars),
        math.prod(reading.confidence for reading in readings),
        tuple(chars),
        any(reading.outside for reading in readings),
        math.prod(reading.clarity for reading in readings),
        places=tuple(places),
    )
    return replace(whole, words=_words(whole, readings, spans))


def _seam(
    left: Sequence[Char], at: Sequence[Span], right: Sequence[Char], here: Sequence[Span], shared: Span
) -> tuple[int, int]:
    """How many characters of the left are kept, and at which of the right ones it continues."""
    middle = (shared[0] + shared[1]) / 2
    first = next((i for i, (a, b) in enumerate(at) if (a + b) / 2 >= shared[0]), len(at))
    last = next((j for j, (a, b) in enumerate(here) if (a + b) / 2 > shared[1]), len(here))
    before, after = ("".join(c.text for c in some) for some in (left[first:], right[:last]))
    match = SequenceMatcher(None, before, after, autojunk=False).find_longest_match()
    if not match.size:  # nothing to go by but the places
        kept = next((i for i, (a, b) in enumerate(at) if (a + b) / 2 >= middle), len(at))
        return kept, next((j for j, (a, b) in enumerate(here) if (a + b) / 2 >= middle), len(here))
    half = match.size // 2
    return first + match.a + half, match.b + half


def _words(line: Reading, readings: Sequence[Reading], spans: Sequence[Span]) -> tuple[Reading, ...]:
    """The words of a joined line, as sure as in the windows that show them."""
    sure: list[tuple[float, float, Reading]] = []
    for reading, (start, end) in zip(readings, spans, strict=True):
        for word in reading.words or (reading,):
            if word.places:
                a, b = (start + x * (end - start) for x in (word.places[0][0], word.places[-1][1]))
                sure.append((a, b, word))
    borders = [-1, *(i for i, char in enumerate(line.chars) if char.text == " "), len(line.chars)]
    out = []
    for left, right in pairwise(borders):
        if right > left + 1:
            chars, places = line.chars[left + 1 : right], line.places[left + 1 : right]
            a, b = places[0][0], places[-1][1]
            near = [word for x, y, word in sure if min(b, y) - max(a, x) > 0.5 * min(b - a, y - x)]
            exact = [word for word in near if word.text == "".join(char.text for char in chars)]
            confidence = max((w.confidence for w in exact), default=min((w.confidence for w in near), default=0.0))
            out.append(Reading("".join(c.text for c in chars), confidence, chars, line.outside, places=places))
    return tuple(out)
