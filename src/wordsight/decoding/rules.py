"""Constraints inside decoding: at every position, classes that cannot lead to an allowed text are out."""

from functools import cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from wordsight.decoding.graphs import Floats, Ids
from wordsight.decoding.masks import HIDDEN
from wordsight.errors import ConfigError
from wordsight.text import Constraint

BEAM = 64
"""States of an automaton that are followed at once. Expressions have fewer, so the best text is found; of many words
some beginnings may be given up early."""

_Path: TypeAlias = tuple[float, tuple[int, ...]]  # minus what it gives up, classes


def log_softmax(logits: Floats) -> npt.NDArray[np.float64]:
    """Of the last axis."""
    out: npt.NDArray[np.float64] = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    out -= np.log(np.exp(out).sum(axis=-1, keepdims=True))
    return out


class Rule:
    """A constraint for a decoder that can write `max_length` characters.

    What `stepwise` and `jointly` return are the logits, with `HIDDEN` in place of those that are ruled out, so that the
    likeliest class of every position up to [E] is the one that is read.

    Raises:
        ConfigError: even the shortest allowed text is too long.
    """

    def __init__(self, constraint: Constraint, eos: int, max_length: int) -> None:
        if constraint.left[0] > max_length:
            raise ConfigError(
                f"the constraint asks for {constraint.left[0]} characters or more, this model writes {max_length}"
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

    def _edges_of(self, state: int) -> list[tuple[int, Ids]]:
        """The states that follow, each with the characters that lead there."""
        out: dict[int, list[int]] = {}
        for i, target in self.constraint.steps[state].items():
            out.setdefault(target, []).append(i)
        return [(target, np.array(ids)) for target, ids in out.items()]
