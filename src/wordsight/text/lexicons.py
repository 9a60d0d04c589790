"""Lists of words as automata: tries in a few flat arrays, about twenty bytes per node."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from wordsight.text.charset import Charset

Ints = npt.NDArray[np.int32]


class Trie(Sequence[Mapping[int, int]]):
    """For each state, a prefix of words, which character id leads to which state; state 0 is the beginning.

    Case is ignored: all ids of a letter lead to the same state.

    Args:
        words: made of characters of `charset`.
        charset: whose characters have ids from 1.

    Attributes:
        ends: for each state, whether a word ends there.
        left: for each state, the least number of characters until a word ends.
    """

    ends: Sequence[bool]
    left: Sequence[int]

    def __init__(self, words: Iterable[str], charset: Charset) -> None:
        cases: dict[str, str] = {}
        for c in charset.characters:
            cases[_letter(c)] = cases.get(_letter(c), "") + c
        self._ids = tuple(tuple(charset.characters.index(c) + 1 for c in same) for same in cases.values())
        # Letters are encoded as characters with their numbers as codes, so that Python compares words quickly
        codes = {ord(c): code for code, same in enumerate(cases.values()) for c in same}
        spelled = sorted({word.translate(codes) for word in words})
        lengths = np.fromiter(map(len, spelled), np.int64, len(spelled))
        flat = np.frombuffer("".join(spelled).encode("utf-32-le"), np.uint32)
        self._build(spelled, lengths, flat)

    def _build(self, spelled: Sequence[str], lengths: npt.NDArray[np.int64], flat: npt.NDArray[np.uint32]) -> None:
        """Builds the trie level by level: words with a common prefix are adjacent, as they are sorted."""
        starts = np.fromiter(accumulate(map(len, spelled), initial=0), np.int64, len(spelled) + 1)[:-1]
        state = np.zeros(len(spelled), np.int64)  # of each word, that of its prefix
        letters: list[Ints] = [np.zeros(1, np.int32)]
        parents: list[Ints] = [np.zeros(0, np.int32)]
        ends: list[npt.NDArray[np.bool_]] = [np.array([bool(len(spelled)) and lengths[0] == 0])]
        first, depth = 1, 0
        words = np.flatnonzero(lengths > 0)
        while len(words):
            letter, parent = flat[starts[words] + depth], state[words]
            new = np.r_[True, (letter[1:] != letter[:-1]) | (parent[1:] != parent[:-1])]
            place = np.cumsum(new) - 1
            state[words] = first + place
            letters.append(letter[new].astype(np.int32))
            parents.append(parent[new].astype(np.int32))
            over = np.zeros(place[-1] + 1, np.bool_)
            depth += 1
            over[place[lengths[words] == depth]] = True
            ends.append(over)
            first += len(over)
            words = words[lengths[words] > depth]
        self._letters = np.concatenate(letters)
        ending = np.concatenate(ends)
        # States are numbered by level, then by parent, so that the children of a state are consecutive
        self._first = np.searchsorted(np.concatenate(parents), np.arange(first + 1)).astype(np.int32) + 1
        left = np.where(ending, 0, np.iinfo(np.int32).max - 1).astype(np.int32)
        bounds = np.cumsum([0, *map(len, letters)])
        for level in range(len(letters) - 1, 0, -1):
            here = slice(bounds[level], bounds[level + 1])
            np.minimum.at(left, parents[level], left[here] + 1)
        self.ends = ending.tobytes()  # type: ignore[assignment]  # a byte for a state, 0 or 1
        self.left = array("i", left.tobytes())

    def __len__(self) -> int:
        return len(self._letters)

    def __getitem__(self, state: int) -> Mapping[int, int]:  # type: ignore[override]  # of slices there is no use
        following = range(int(self._first[state]), int(self._first[state + 1]))
        return {i: target for target in following for i in self._ids[self._letters[target]]}


def _letter(c: str) -> str:
    """The same character for all cases of a letter, even if it has a third one (dotless i, long s)."""
    upper = c.upper() if len(c.upper()) == 1 else c
    return upper.lower() if len(upper.lower()) == 1 else upper
