"""Reading the frames of an image from left to right: connectionist temporal classification (Graves et al., ICML 2006).

Every frame says a character or the blank. What a row of frames spells: equal neighbours become one, then blanks go. The
blank is [E] of the tokenizer, which has no other use here. As frames stand in the picture, so do the characters that
they say: a line is read whole, and its words are cut out of its reading.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from wordsight.decoding.graphs import Floats, Ids, Spec
from wordsight.decoding.joint import LONGEST, SHARE, SecondReader, WordGraphs, likeliest_texts
from wordsight.decoding.readings import Reading, Span, characters, probabilities
from wordsight.decoding.rules import OUTSIDE, Rule
from wordsight.decoding.spelling import other_texts
from wordsight.text import CharTokenizer, Constraint, Dictionary

SILENT = 200.0
"""A text that is not so many times likelier than no text at all is not reported.

Of 1,197 text-free patches of training scenes 99.3 % are read as empty with 30 and 99.7 % with 200; of 1,909 held-out
training words 3 more are silent with 200, one of which was read right.
"""

_SURE = 0.95
"""Probability of a word from which no second reader is asked."""

_KNOWN = 50.0
"""So many times likelier than other strings known words are before one has looked.

Of 769 held-out training words `latin` with its second reader reads 92.1 % right with 8, 92.2 % with 20, 92.4 % with
50, 92.5 % with 120.
"""

Columns = npt.NDArray[np.float64]
"""(T, C + 1) probabilities of every class in every frame."""


class Frames(NamedTuple):
    """What B images show: `logits` (B, T, C + 1) of T frames from left to right.

    `columns` (B, L, D) are what a decoder of words looks at; None where there is none.
    """

    logits: Floats
    columns: Floats | None = None


class CtcGraphs(WordGraphs, Protocol):
    """The parts of a recognizer, those of `WordGraphs` only where there are columns. No row may influence another."""

    def image(self, images: Floats) -> Frames:
        """A look at images (B, 3, H, W)."""
        ...


class Spelled(NamedTuple):
    """Characters and where they stand: `ids` (L,), and for each the frames [start, end) that say it."""

    ids: Ids
    runs: npt.NDArray[np.int64]  # (L, 2)

    def part(self, start: int, end: int) -> "Spelled":
        """Some of the characters."""
        return Spelled(self.ids[start:end], self.runs[start:end])


def read_ctc(
    graphs: CtcGraphs,
    images: Floats,
    spec: Spec,
    *,
    temperature: float = 1.0,
    alternatives: int = 3,
    constraint: Constraint | None = None,
    dictionary: Dictionary | None = None,
) -> list[Reading]:
    """Reads images (B, 3, H, W): what the likeliest class of every frame spells (greedy, 'best path' decoding).

    `confidence` is the probability of that text: the sum over all paths through the frames that spell it (what CTC
    trains), not that of the best path alone. A character is as probable as the surest of the frames that say it, and
    its alternatives are that frame's; "" stands for the blank. Unlike elsewhere their product is not the confidence.
    Without a constraint, a text that is hardly likelier than none is not reported (`SILENT`).

    Args:
        graphs: The recognizer's part.
        images: Prepared crops.
        spec: The rest of the recognizer; characters after the `max_length`-th are not reported.
        temperature: Divides the logits before the softmax of the probabilities.
        alternatives: How many other classes to report per character.
        constraint: What the whole text may be. Where the free reading is not allowed, the likeliest path is taken that
            spells something that is; `Reading.outside` where that is far less likely.
        dictionary: Words that are likelier than others where the reading is doubtful, see `decoding.spelling`.

    Raises:
        ConfigError: all that is allowed is longer than the recognizer can write.
    """
    rule = None if constraint is None else Rule(constraint, spec.tokenizer.eos, spec.max_length)
    if not len(images):
        return []
    reader = _Frames(spec.tokenizer, spec.max_length, alternatives, dictionary)
    readings = []
    seen = graphs.image(images)
    for row, logits in enumerate(seen.logits):
        columns = probabilities(logits, temperature)
        plain = columns if temperature == 1 else probabilities(logits, 1.0)  # a temperature changes no text
        if rule is None and _is_silent(plain, spec.tokenizer.eos):
            readings.append(Reading("", float(columns[:, spec.tokenizer.eos].prod())))
        else:
            second = None if seen.columns is None else SecondReader(graphs, seen.columns[row], spec.tokenizer)
            readings.append(reader.read(columns, rule, second))
    return readings


def _is_silent(columns: Columns, blank: int) -> bool:
    """Whether what frames (T, C + 1) spell is not `SILENT` times likelier than no text at all."""
    enough = SILENT * float(columns[:, blank].prod())
    if columns.max(axis=1).prod() >= enough:  # the best of its paths alone is
        return False
    return probability(columns, best_path(columns, blank).ids, blank) < enough


class _Frames(NamedTuple):
    """What turns the frames of one image into its reading."""

    tokenizer: CharTokenizer
    max_length: int
    alternatives: int
    dictionary: Dictionary | None

    def read(self, columns: Columns, rule: Rule | None, second: SecondReader | None) -> Reading:
        """The reading of frames (T, C + 1)."""
        free = best_path(columns, self.tokenizer.eos).part(0, self.max_length)
        if rule is not None and not rule.constraint.accepts(free.ids.tolist()):
            return self._constrained(columns, free, rule)
        line = self._reading(columns, free)
        read = [(self._reading(columns, word, part), part) for word, part in self._words(free, len(columns))]
        words = [self._decided(columns, word, part, second) for word, part in read]
        return self._joined(line, words, [word for word, _ in read] != words)

    def _reading(self, columns: Columns, spelled: Spelled, part: tuple[int, int] | None = None) -> Reading:
        """Of characters, as likely as they are in a part of the frames; None: in all of them."""
        start, end = part or (0, len(columns))
        ids, runs = spelled
        surest = np.array([a + columns[a:b, i].argmax() for i, (a, b) in zip(ids, runs, strict=True)], np.int64)
        chars = characters(columns[surest], self.tokenizer, self.alternatives, ids.tolist())
        confidence = probability(columns[start:end], ids, self.tokenizer.eos)
        return Reading("".join(c.text for c in chars), confidence, chars, places=places(runs, len(columns)))

    def _words(self, spelled: Spelled, frames: int) -> Iterator[tuple[Spelled, tuple[int, int]]]:
        """The words between spaces, each with the frames between those of the spaces."""
        space = self.tokenizer.charset.characters.find(" ") + 1
        spaces = np.flatnonzero(spelled.ids == space).tolist() if space else []
        for left, right in pairwise([-1, *spaces, len(spelled.ids)]):
            if right > left + 1:
                start = int(spelled.runs[left, 1]) if left >= 0 else 0
                end = int(spelled.runs[right, 0]) if right < len(spelled.ids) else frames
                yield spelled.part(left + 1, right), (start, end)

    def _joined(self, line: Reading, words: list[Reading], changed: bool) -> Reading:
        """The line with its words, which may be others, or others as likely, than frames alone say."""
        if len(words) <= 1:
            return words[0] if words else line
        if not changed:
            return replace(line, words=tuple(words))
        corrected = any(word.free_confidence is not None for word in words)
        return replace(
            line,
            text=" ".join(word.text for word in words),
            confidence=math.prod(word.confidence for word in words),
            free_confidence=line.confidence if corrected else None,
            words=tuple(words),
        )

    def _decided(self, columns: Columns, word: Reading, part: tuple[int, int], second: SecondReader | None) -> Reading:
        """A word, or the text that its part of the frames, a second reader and the dictionary make likelier."""
        frames, (start, end) = len(columns), part
        columns, tokenizer, blank = columns[start:end], self.tokenizer, self.tokenizer.eos
        known = [] if self.dictionary is None else list(other_texts(word, self.dictionary))
        bonus = {tuple(tokenizer.ids(text)): _KNOWN for text in known if not tokenizer.charset.unknown(text)}
        own = tuple(tokenizer.ids(word.text))
        opinion = None
        if second is not None and word.confidence < _SURE and len(own) <= LONGEST:
            opinion = second.word(start / frames, end / frames)
        texts = [own, *bonus]
        if opinion is not None:
            texts += [*likeliest_texts(columns, blank), opinion.greedy(own)]
        texts = [text for text in dict.fromkeys(texts) if text == own or (text and len(text) <= LONGEST)]
        if len(texts) < 2 and opinion is None:
            return word
        likely = np.array([probability(columns, np.array(text, np.int64), blank) for text in texts])
        weights = likely
        if opinion is not None:  # which is asked how to share what frames give to all of these together
            logs = (1 - SHARE) * np.log(np.maximum(likely, 1e-300)) + SHARE * opinion.likelihoods(texts)
            weights = np.exp(logs - logs.max())
            weights *= likely.sum() / weights.sum()
        weights = weights * [bonus.get(text, 1.0) if text != own else 1.0 for text in texts]
        best = int(weights.argmax())
        share = float(weights[best] / (weights.sum() + max(0.0, 1 - likely.sum())))  # the rest: what was not compared
        if best == 0:
            return word if opinion is None else replace(word, confidence=share)
        ids = np.array(texts[best], np.int64)
        runs = aligned(np.log(np.maximum(columns, 1e-30)), ids, blank)
        found = self._reading(columns, Spelled(ids, runs))
        placed = places(runs + start, frames)
        free = word.confidence if texts[best] in bonus else None
        return replace(found, confidence=share, free_confidence=free, places=placed)

    def _constrained(self, columns: Columns, free: Spelled, rule: Rule) -> Reading:
        """The likeliest allowed text. All its words are as sure as the whole of it."""
        blank = self.tokenizer.eos
        freely = probability(columns, free.ids, blank)
        ids, share = rule.best_path(np.log(np.maximum(columns, 1e-30)))
        if ids is None:  # too long for the picture
            return Reading("", 0.0, outside=True, free_confidence=freely)
        spelled = Spelled(ids, aligned(np.log(np.maximum(columns, 1e-30)), ids, blank))
        line = self._reading(columns, spelled)
        outside = line.confidence * OUTSIDE < freely
        confidence = line.confidence if outside else share
        line = replace(
            line, confidence=confidence, outside=outside, free_confidence=freely if outside else line.confidence
        )
        words = [
            replace(self._reading(columns, word), confidence=confidence, outside=outside, free_confidence=freely)
            for word, _ in self._words(spelled, len(columns))
        ]
        return replace(line, words=tuple(words)) if len(words) > 1 else line


def best_path(columns: Columns, blank: int) -> Spelled:
    """What the likeliest class of every frame (T, C + 1) spells."""
    path = columns.argmax(axis=1)
    starts = np.flatnonzero(np.diff(path, prepend=-1))
    runs = np.stack([starts, np.append(starts[1:], len(path))], axis=1)[path[starts] != blank]
    return Spelled(path[runs[:, 0]] if len(runs) else np.zeros(0, np.int64), runs)


def places(runs: npt.NDArray[np.int64], frames: int) -> tuple[Span, ...]:
    """From and to of each character, as shares of the width, given the frames (L, 2) that say them.

    CTC says a character anywhere inside it. A character reaches half-way to its neighbours, at the ends of the text as
    far as characters of this text do in the median.
    """
    if not len(runs):
        return ()
    middles = runs.mean(axis=1)
    between = (middles[1:] + middles[:-1]) / 2
    half = float(np.median(np.diff(middles))) / 2 if len(middles) > 1 else 1.5
    edges = np.clip(np.concatenate([[middles[0] - half], between, [middles[-1] + half]]), 0, frames) / frames
    return tuple(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def probability(columns: Columns, ids: Ids, blank: int) -> float:
    """How probable it is that independent frames spell `ids` (L,): the sum over all paths that do.

    Args:
        columns: (T, C + 1) probabilities of every class in every frame.
        ids: The characters.
        blank: The class that stands for none.
    """
    states, skips = _states(ids, blank)
    said = columns[:, states]
    before = np.zeros(len(states) + 2)  # of paths that end in each state, after two that are none
    before[2] = 1.0  # nothing spelled yet, as if a blank stood before the first frame
    for column in said:
        before[2:] = (before[2:] + before[1:-1] + skips * before[:-2]) * column
    return float(before[-2:].sum())  # the last character, or the blank after it


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
