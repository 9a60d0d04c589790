"""Constraints inside decoding: at every position, classes that cannot lead to an allowed text are out."""

from collections.abc import Iterator
from functools import cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from wordsight.decoding.arrays import Floats, Ids
from wordsight.decoding.masks import HIDDEN
from wordsight.errors import ConfigError
from wordsight.text import Constraint

BEAM = 64
"""States of an automaton that are followed at once. Expressions have fewer, so the best text is found; of many words
some beginnings may be given up early."""

OUTSIDE = 1000.0
"""So many times less likely than the free reading, and what is written there is something that is not allowed.

The last 400 words of ICDAR 2015's training set, lists of about 1,400 and 450 words: without the right word among them
89 and 96 % were said to be outside, with it 8 and 10 %; and 83 and 85 % were read right, 73 % without a list.
"""

_Path: TypeAlias = tuple[float, tuple[int, ...]]  # minus what it gives up, classes


def log_softmax(logits: Floats) -> npt.NDArray[np.float64]:
    """Of the last axis."""
    out: npt.NDArray[np.float64] = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    out -= np.log(np.exp(out).sum(axis=-1, keepdims=True))
    return out


class LogitsConstraint:
    """A constraint for a decoder that can write `max_length` characters.

    What `stepwise` and `jointly` return are the logits, with `HIDDEN` in place of those that are ruled out, so that the
    likeliest class of every position up to [E] is the one that is read.

    Raises:
        ConfigError: even the shortest allowed text is too long.
    """

    def __init__(self, constraint: Constraint, eos: int, max_length: int) -> None:
        if constraint.left[0] > max_length:
            raise ConfigError(
                f"the constraint needs {constraint.left[0]} characters or more, this model writes {max_length} at most"
            )
        self.constraint = constraint
        self.eos = eos
        self.max_length = max_length
        self._edges = cache(self._edges_of)

    def stepwise(self, logits: Floats) -> Floats:
        """Each position knows those before it: (B, T, C + 1) in and out."""
        return np.stack([self._row(x, None) for x in logits])

    def jointly(self, logits: Floats) -> Floats:
        """All positions are read at once: the allowed text that gives up least. (B, T, C + 1) in and out.

        What a text gives up at a position is how much likelier another class is there. Products of probabilities would
        rather have short texts: every further character that is not certain costs, be it the likeliest by far.
        """
        return np.stack([self._row(x, self._cheapest(x)) for x in logits])

    def _row(self, logits: Floats, path: tuple[int, ...] | None) -> Floats:
        """Logits (T, C + 1) along a path, or along the likeliest class of each position."""
        out, state = logits.copy(), 0
        for place in range(len(logits) if path is None else len(path)):
            allowed = np.array(self.constraint.choices(state, self.max_length - place, self.eos))
            if path is not None:  # those that would have been better here and worse later are out too
                allowed = allowed[logits[place, allowed] <= logits[place, path[place]]]
            out[place] = HIDDEN
            out[place, allowed] = logits[place, allowed]
            chosen = int(out[place].argmax()) if path is None else path[place]
            if chosen == self.eos:
                break
            state = self.constraint.steps[state][chosen]
        return out

    def _cheapest(self, logits: Floats) -> tuple[int, ...]:
        """The classes of that text, with its [E]; without, where it does not end within the positions."""
        alive: dict[int, _Path] = {0: (0.0, ())}
        best: _Path = (-np.inf, ())
        for place, row in enumerate(logits - logits.max(axis=1, keepdims=True)):
            after: dict[int, _Path] = {}
            room = self.max_length - place
            for state, (score, path) in alive.items():
                if self.constraint.ends[state]:
                    best = max(best, (score + float(row[self.eos]), (*path, self.eos)))
                for target, ids in self._edges(state):
                    if self.constraint.left[target] < room:
                        chosen = int(ids[row[ids].argmax()])
                        new = score + float(row[chosen])
                        if new > best[0] and (target not in after or new > after[target][0]):
                            after[target] = (new, (*path, chosen))
            alive = after
            if len(alive) > BEAM:
                alive = dict(sorted(after.items(), key=lambda item: -item[1][0])[:BEAM])
        return max([best, *alive.values()])[1]

    def best_path(self, columns: npt.NDArray[np.float64]) -> tuple[Ids | None, float]:
        """The allowed text on the likeliest path through frames, class `eos` being the blank (CTC).

        Args:
            columns: (T, C + 1) log-probabilities.

        Returns:
            Its classes (L,), None where the frames are too few for any; and its share of all paths that came as far.
        """
        # Alive are, for each state and the class of the frame before, the likeliest path and what it spells
        alive: dict[tuple[int, int], _Path] = {(0, self.eos): (0.0, ())}
        for place, row in enumerate(columns):
            after: dict[tuple[int, int], _Path] = {}
            for (state, said), (score, path) in alive.items():
                for target, chosen, longer in self._onwards(state, said, path, row, len(columns) - place):
                    new = score + float(row[chosen])
                    if (target, chosen) not in after or new > after[target, chosen][0]:
                        after[target, chosen] = (new, longer)
            alive = after
            if len(alive) > BEAM:
                alive = dict(sorted(after.items(), key=lambda item: -item[1][0])[:BEAM])
        ended: dict[tuple[int, ...], float] = {}
        for (state, _), (score, path) in alive.items():
            if self.constraint.ends[state]:
                ended[path] = float(np.logaddexp(ended.get(path, -np.inf), score))
        if not ended:
            return None, 0.0
        best = max(ended, key=ended.__getitem__)
        share = 1 / float(np.exp(np.array(list(ended.values())) - ended[best]).sum())
        return np.array(best, np.int64), share

    def _onwards(
        self, state: int, said: int, path: tuple[int, ...], row: npt.NDArray[np.float64], frames: int
    ) -> Iterator[tuple[int, int, tuple[int, ...]]]:
        """Where a path through frames may go next: the state, the class of the frame, and what is spelled then."""
        yield state, self.eos, path
        if said != self.eos:
            yield state, said, path
        if len(path) < self.max_length:
            for target, ids in self._edges(state):
                others = ids[ids != said]
                if len(others) and self.constraint.left[target] < frames:
                    chosen = int(others[row[others].argmax()])
                    yield target, chosen, (*path, chosen)

    def _edges_of(self, state: int) -> list[tuple[int, Ids]]:
        """The states that follow, each with the characters that lead there."""
        out: dict[int, list[int]] = {}
        for i, target in self.constraint.steps[state].items():
            out.setdefault(target, []).append(i)
        return [(target, np.array(ids)) for target, ids in out.items()]
