"""Reading the frames of an image from left to right: connectionist temporal classification (Graves et al., ICML 2006).

Every frame says a character or the blank. What a row of frames spells: equal neighbours become one, then blanks go. The
blank is [E] of the tokenizer, which has no other use here. As frames stand in the picture, so do the characters that
they say: a line is read whole, and its words are cut out of its reading.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median
from typing import NamedTuple

import numpy as np

from wordsight.decoding.arrays import Floats
from wordsight.decoding.context import AnyContext
from wordsight.decoding.ctc_paths import (
    Columns,
    Spelled,
    Text,
    aligned,
    best_path,
    likeliest_texts,
    places,
    probability,
    text_probabilities,
)
from wordsight.decoding.graphs import Engine, Spec
from wordsight.decoding.joint import LONGEST, SHARE, SecondReader, Word
from wordsight.decoding.kind import Kind, Settings
from wordsight.decoding.logits_constraint import OUTSIDE, LogitsConstraint
from wordsight.decoding.readings import Reading, characters, probabilities
from wordsight.decoding.signature import Graph, Shape
from wordsight.decoding.spelling import other_texts
from wordsight.text import CharTokenizer, Dictionary

SILENT = 200.0
"""A text that is not so many times likelier than no text at all is not reported.

Of 1,197 text-free patches of training scenes 99.3 % are read as empty with 30 and 99.7 % with 200; of 1,909 held-out
training words 3 more are silent with 200, one of which was read right.
"""

_SURE = 0.8
"""Probability of a word from which no second reader is asked; with 0.95 no more of 2,002 held-out words are right."""

_HOPELESS = 0.01
"""And below which none is: of 92 such words of 98 held-out scenes it finds one surely enough to be reported."""

_WORTH = 0.001
"""Of what the likeliest text has, known words favoured: it is asked about no text that frames find less likely."""

_SPACES = 6.0
"""So many times likelier than frames say spaces beside a letter are taken to be: "GreenLife" and "50%OFF" are common.

End to end the H-mean of 400 training scenes is 80.1 % with 1, 81.1 with 4, 81.6 with 8; that of 98 held-out ones 82.8,
82.9 and 82.8 (of their detection alone 87.8, 88.5 and 88.8). Of rendered lines in typefaces kept for tests as many are
right as before; between digits, as on displays, there would be fewer.
"""

_APART = 20.0
"""So many times likelier a space is there than in the median gap of the line; else all its letters are set apart.

Real missed spaces nearly all are: of 37 that `_SPACES` finds in training scenes none is lost with 50.
"""


def _favour(known: str) -> float:
    """So many times likelier than other strings a known word is before one has looked; chance hits few longer ones.

    Of 2,003 held-out training words 91.2 % are read right, with 50 for every length 91.0, without a dictionary 90.5.
    With more than 135 for the longest, foreign words become English ones.
    """
    return 5.0 * 3.0 ** (min(len(known), 6) - 3)


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
    dictionary: Dictionary | None

    def read(self, columns: Columns, rule: LogitsConstraint | None, second: SecondReader | None) -> Reading:
        """The reading of frames (T, C + 1)."""
        plain = best_path(columns, self.tokenizer.eos)
        favoured = self._favouring_spaces(columns, plain)
        free = plain if favoured is columns else best_path(favoured, self.tokenizer.eos)
        free = free.part(0, self.max_length)
        if rule is not None and not rule.constraint.accepts(free.ids.tolist()):
            free = plain.part(0, self.max_length)
            if not rule.constraint.accepts(free.ids.tolist()):
                return self._constrained(columns, free, rule)
        read = [(self._reading(columns, word, part), part) for word, part in self._words(free, len(columns))]
        words = [self._decided(columns, word, part, second) for word, part in read]
        if len(words) == 1:
            return words[0]
        return self._joined(self._reading(columns, free), words, [word for word, _ in read] != words)

    @property
    def _space(self) -> int:
        """Its class; 0: it is not written."""
        return self.tokenizer.charset.characters.find(" ") + 1

    def _favouring_spaces(self, columns: Columns, found: Spelled) -> Columns:
        """Frames (T, C + 1) with spaces `_SPACES` times as likely between two characters of which one is a letter.

        Not where letters are apart anyhow: a space has to be likelier than in other gaps of the line.
        """
        if not self._space or len(found.ids) < 2:
            return columns
        letters = [self.tokenizer.decode([one]).isalpha() for one in found.ids.tolist()]
        gaps = [slice(left, right) for (_, left), (right, _) in pairwise(found.runs.tolist())]
        likely = [float(columns[gap, self._space].max(initial=0.0)) for gap in gaps]
        least, out = _APART * median(likely), columns
        for gap, here, (one, other) in zip(gaps, likely, pairwise(letters), strict=True):
            if (one or other) and here > least:
                out = columns.copy() if out is columns else out
                out[gap, self._space] *= _SPACES
        return out

    def _reading(self, columns: Columns, spelled: Spelled, part: tuple[int, int] | None = None) -> Reading:
        """Of characters, as likely as they are in a part of the frames; None: in all of them."""
        start, end = part or (0, len(columns))
        ids, runs = spelled
        surest = np.array([a + columns[a:b, i].argmax() for i, (a, b) in zip(ids, runs, strict=True)], np.int64)
        chars = characters(columns[surest], self.tokenizer, ids.tolist())
        confidence = probability(columns[start:end], ids, self.tokenizer.eos)
        return Reading("".join(c.text for c in chars), confidence, chars, places=places(runs, len(columns)))

    def _words(self, spelled: Spelled, frames: int) -> Iterator[tuple[Spelled, tuple[int, int]]]:
        """The words between spaces, each with the frames between those of the spaces."""
        spaces = np.flatnonzero(spelled.ids == self._space).tolist() if self._space else []
        for left, right in pairwise([-1, *spaces, len(spelled.ids)]):
            if right > left + 1:
                start = int(spelled.runs[left, 1]) if left >= 0 else 0
                end = int(spelled.runs[right, 0]) if right < len(spelled.ids) else frames
                yield spelled.part(left + 1, right), (start, end)

    def _joined(self, line: Reading, words: list[Reading], changed: bool) -> Reading:
        """The line with its words, which may be others than frames alone say. It is as sure as they are together."""
        corrected = any(word.free_confidence is not None for word in words)
        return replace(
            line,
            text=" ".join(word.text for word in words) if changed else line.text,
            confidence=math.prod(word.confidence for word in words),
            free_confidence=math.prod(word.clarity for word in words) if corrected else None,
            words=tuple(words),
        )

    def _decided(self, columns: Columns, word: Reading, part: tuple[int, int], second: SecondReader | None) -> Reading:
        """A word, or the text that its part of the frames, a second reader and the dictionary make likelier."""
        frames, (start, end) = len(columns), part
        columns, blank = columns[start:end], self.tokenizer.eos
        own, bonus = tuple(self.tokenizer.ids(word.text)), self._known(word)
        opinion = None
        if second is not None and _HOPELESS <= word.confidence < _SURE and len(own) <= LONGEST:
            opinion = second.word(start / frames, end / frames)
        others = [*bonus, *(likeliest_texts(columns, blank) if opinion is not None else ())]
        texts = list(dict.fromkeys([own, *(text for text in others if text and len(text) <= LONGEST)]))
        if len(texts) < 2 and opinion is None:
            return word
        weights = likely = dict(zip(texts, text_probabilities(columns, texts, blank).tolist(), strict=True))
        if opinion is not None:
            likely, weights = _judged(columns, likely, bonus, opinion)
        weights = {text: weight * bonus.get(text, 1.0) for text, weight in weights.items()}
        best = max(weights, key=weights.__getitem__)
        rest = max(0.0, 1 - sum(likely.values()))  # what was not compared
        share = weights[best] / (sum(weights.values()) + rest)
        if best == own:
            return word if opinion is None else replace(word, confidence=share)
        ids = np.array(best, np.int64)
        runs = aligned(np.log(np.maximum(columns, 1e-30)), ids, blank)
        found = self._reading(columns, Spelled(ids, runs))
        placed = places(runs + start, frames)
        free = word.confidence if best in bonus else None
        return replace(found, confidence=share, free_confidence=free, places=placed)

    def _known(self, word: Reading) -> dict[Text, float]:
        """Known words that it may be instead, and how many times each counts."""
        if self.dictionary is None:
            return {}
        texts = [text for text in other_texts(word, self.dictionary) if not self.tokenizer.charset.unknown(text)]
        return {tuple(self.tokenizer.ids(text)): _favour(text) for text in texts}

    def _constrained(self, columns: Columns, free: Spelled, rule: LogitsConstraint) -> Reading:
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


def _judged(
    columns: Columns, likely: dict[Text, float], bonus: Mapping[Text, float], opinion: Word
) -> tuple[dict[Text, float], dict[Text, float]]:
    """The likely texts that are worth it and the decoder's own: what frames give them, and what both readers do.

    The decoder says how to share what frames give to all of these together. The first of `likely` is what frames read.
    """
    favoured = {text: p * bonus.get(text, 1.0) for text, p in likely.items()}
    own, least = next(iter(likely)), _WORTH * max(favoured.values())
    judged = opinion.judge([text for text, p in favoured.items() if text == own or p >= least])
    blank = opinion.tokenizer.eos
    given = {text: likely[text] if text in likely else probability(columns, text, blank) for text in judged if text}
    frames_say, decoder_says = np.array([*given.values()]), np.array([judged[text] for text in given])
    logs = (1 - SHARE) * np.log(np.maximum(frames_say, 1e-300)) + SHARE * decoder_says
    weights = np.exp(logs - logs.max())
    weights *= frames_say.sum() / weights.sum()
    return given, dict(zip(given, weights.tolist(), strict=True))


class Ctc(Kind):
    """Frames: `image` gives the logits of every frame; with a decoder of words also the columns that `memory` takes.

    `memory` and `visual` are that decoder's, for input of any width.
    """

    name = "ctc"
    made = "logits of shape (batch, columns, classes), or columns that a graph 'memory' takes"
    has_modes = constrains = True

    def signature(
        self, images: Shape, classes: int, positions: int, made: Mapping[str, Sequence[Shape]]
    ) -> dict[str, Graph]:
        """See `Kind`."""
        (_, frames, _), *more = made["image"]
        varies = isinstance(images[3], str)
        seen: dict[str, Shape] = {"logits": ("batch", "frames" if varies else frames, classes)}
        if not (varies and more):
            return {"image": Graph("image.onnx", {"image": images}, seen)}
        columns: Shape = ("batch", "columns", more[0][2])
        (_, depth, _, _, width), *_ = made["memory"]
        kv: Shape = ("batch", depth, 2, "columns", width)
        query: dict[str, Shape] = {"tokens": ("batch", "length"), "kv": kv, "mask": ("batch", "length", "length")}
        return {
            "image": Graph("image.onnx", {"image": images}, seen | {"columns": columns}),
            "memory": Graph("memory.onnx", {"columns": columns}, {"kv": kv}),
            "visual": Graph("visual.onnx", query, {"logits": ("batch", "length", classes)}),
        }

    def measure(self, engine: Engine, images: Floats) -> dict[str, Sequence[Shape]]:
        """See `Kind`."""
        _, *columns = seen = engine.run("image", images)
        made: dict[str, Sequence[Shape]] = {"image": [array.shape for array in seen]}
        if columns:
            made["memory"] = [array.shape for array in engine.run("memory", *columns)]
        return made

    def read(
        self, engine: Engine, images: Floats, spec: Spec, settings: Settings, context: AnyContext = None
    ) -> list[Reading]:
        """See `Kind`: what the likeliest class of every frame spells (greedy, 'best path' decoding).

        `confidence` is the probability of that text: the sum over all paths through the frames that spell it (what CTC
        trains), not that of the best path alone. A character is as probable as the surest of the frames that say it,
        and its alternatives are that frame's; "" stands for the blank. Unlike elsewhere their product is not the
        confidence. Without a constraint, a text that is hardly likelier than none is not reported (`SILENT`). Under one
        the likeliest path is taken that spells something that is allowed; `Reading.outside` where that is far less
        likely. Characters after the `max_length`-th are not reported.

        Raises:
            ConfigError: all that is allowed is longer than the recognizer can write.
        """
        eos, rule = spec.tokenizer.eos, None
        if settings.constraint is not None:
            rule = LogitsConstraint(settings.constraint, eos, spec.max_length)
        if not len(images):
            return []
        reader = _Frames(spec.tokenizer, spec.max_length, settings.dictionary)
        readings = []
        frames, *columns = map(engine.numpy, engine.run("image", images, context=context))
        for row, logits in enumerate(frames):
            found = probabilities(logits, 1.0)
            if rule is None and _is_silent(found, eos):
                readings.append(Reading("", float(found[:, eos].prod())))
            else:
                second = SecondReader(engine, columns[0][row], spec.tokenizer) if columns else None
                reading = reader.read(found, rule, second)
                readings.append(reading if rule else _tempered(reading, settings.temperature))
        return readings


def _tempered(reading: Reading, temperature: float) -> Reading:
    """The reading with the log-odds that it, or each of its words, is right divided by `temperature`.

    Neither its text nor how sure it is of what it sees changes. Frames cannot be tempered: several decide together.
    """
    if temperature == 1:
        return reading
    words = tuple(_tempered(word, temperature) for word in reading.words)
    right = reading.confidence ** (1 / temperature)
    wrong = max(0.0, 1 - reading.confidence) ** (1 / temperature)
    confidence = math.prod(word.confidence for word in words) if words else right / (right + wrong)
    return replace(reading, confidence=confidence, free_confidence=reading.clarity, words=words)


CTC = Ctc()
