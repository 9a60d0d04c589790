"""Reading the columns of an image (CRNN): connectionist temporal classification (Graves et al., ICML 2006).

Every column says a character or the blank. What a row of columns spells: equal neighbours become one, then blanks go.
The blank is [E] of the tokenizer, which has no other use here.
"""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from wordsight.decoding.graphs import Floats, Ids, Spec
from wordsight.decoding.readings import Reading, characters, probabilities


class CtcGraphs(Protocol):
    """The one part of a recognizer. No row may influence another."""

    def image(self, images: Floats) -> Floats:
        """(B, 3, H, W) to the logits (B, T, C + 1) of T columns from left to right."""
        ...


def read_ctc(
    graphs: CtcGraphs, images: Floats, spec: Spec, *, temperature: float = 1.0, alternatives: int = 3
) -> list[Reading]:
    """Reads images (B, 3, H, W): what the likeliest class of every column spells (greedy, 'best path' decoding).

    `confidence` is the probability of that text: the sum over all paths through the columns that spell it (what CTC
    trains), not that of the best path alone. A character is as probable as the surest of the columns that say it, and
    its alternatives are that column's; "" stands for the blank. Unlike elsewhere their product is not the confidence.

    Args:
        graphs: The recognizer's part.
        images: Prepared crops.
        spec: The rest of the recognizer; characters after the `max_length`-th are not reported.
        temperature: Divides the logits before the softmax of the probabilities.
        alternatives: How many other classes to report per character.
    """
    if not len(images):
        return []
    return [_reading(x, spec, temperature, alternatives) for x in graphs.image(images)]


def _reading(logits: Floats, spec: Spec, temperature: float, alternatives: int) -> Reading:
    """That of one row (T, C + 1)."""
    blank = spec.tokenizer.eos
    found = probabilities(logits, temperature)
    path = logits.argmax(axis=1)
    starts = np.flatnonzero(np.diff(path, prepend=-1))  # of runs of equal columns
    ends = np.append(starts[1:], len(path))
    runs = [(a, b) for a, b in zip(starts, ends, strict=True) if path[a] != blank][: spec.max_length]
    surest = np.array([a + found[a:b, path[a]].argmax() for a, b in runs], np.int64)
    chars = characters(found[surest], spec.tokenizer, alternatives)
    return Reading("".join(c.text for c in chars), probability(found, path[surest], blank), chars)


def probability(columns: npt.NDArray[np.float64], ids: Ids, blank: int) -> float:
    """How probable it is that independent columns spell `ids` (L,): the sum over all paths that do.

    Args:
        columns: (T, C + 1) probabilities of every class in every column.
        ids: The characters.
        blank: The class that stands for none.
    """
    states, skips = _states(ids, blank)
    before = np.zeros(len(states) + 2)  # of paths that end in each state, after two that are none
    before[2] = 1.0  # nothing spelled yet, as if a blank stood before the first column
    for column in columns:
        before[2:] = (before[2:] + before[1:-1] + skips * before[:-2]) * column[states]
    return float(before[-2:].sum())  # the last character, or the blank after it


def alignment(columns: npt.NDArray[np.float64], ids: Ids, blank: int) -> tuple[npt.NDArray[np.float64], float]:
    """Where the characters of a known text stand: on the likeliest path through the columns that spells it.

    Args:
        columns: (T, C + 1) log-probabilities of every class in every column.
        ids: (L,) the characters, at least one.
        blank: The class that stands for none.

    Returns:
        The middles (L,) of the columns that say each character, and the log-probability of the path: -inf, and no
        places to speak of, where there are too few columns.
    """
    states, skips = _states(ids, blank)
    best = np.full(len(states), -np.inf)
    best[:2] = columns[0, states[:2]]
    steps = np.zeros((len(columns), len(states)), np.int64)  # states further on than the column before
    for t, column in enumerate(columns[1:], 1):
        one = np.concatenate([[-np.inf], best[:-1]])
        two = np.where(skips, np.concatenate([[-np.inf, -np.inf], best[:-2]]), -np.inf)
        ways = np.stack([best, one, two])
        steps[t] = ways.argmax(axis=0)
        best = ways.max(axis=0) + column[states]
    state = len(states) - 1 if best[-1] >= best[-2] else len(states) - 2
    likelihood = float(best[state])
    path = np.empty(len(columns), np.int64)
    for t in range(len(columns) - 1, -1, -1):
        path[t] = state
        state -= steps[t, state]
    said = [np.flatnonzero(path == 2 * k + 1) for k in range(len(ids))]
    return np.array([where.mean() if len(where) else 0.0 for where in said]), likelihood


def _states(ids: Ids, blank: int) -> tuple[Ids, npt.NDArray[np.bool_]]:
    """What a path through the columns passes, blank c1 blank c2 ... blank, and which of it may be reached past a blank.

    A character may follow the one before without a blank between them unless they are equal.
    """
    states = np.full(2 * len(ids) + 1, blank)
    states[1::2] = ids
    skips = np.zeros(len(states), bool)
    skips[3::2] = ids[1:] != ids[:-1]
    return states, skips
