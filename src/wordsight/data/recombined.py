"""New words from the letters of real ones: more words than were labelled, in the pixels of photographs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from wordsight.data.sample import Sample
from wordsight.errors import DataError

_KINDS = (0.35, 0.25, 0.4)  # a part of a word; its parts in another order; the begin of a word and the end of another
_LONGEST = 16  # characters
_LIKELY = 24  # words of which the one most like the first gives the end
_MATCHED = 0.8  # how often its colours are brought to those of the first
_BLENDED = 2  # columns in which one piece fades into the next
_ATTEMPTS = 64


@dataclass(frozen=True, eq=False)
class Letters:
    """A word whose letters have been found.

    Attributes:
        image: uint8 RGB (H, W, 3).
        text: its N characters, two at least.
        edges: (N + 1,) columns between which they stand: where the first begins, the borders of neighbours, where the
            last ends. What is left and right of them is margin.
    """

    image: npt.NDArray[np.uint8]
    text: str
    edges: npt.NDArray[np.int64]

    def piece(self, first: int, last: int, begins: bool, ends: bool) -> npt.NDArray[np.uint8]:
        """The pixels of letters first to last - 1, two columns at least.

        The word's own margins are kept where the piece `begins` or `ends` the new word; inside they would be gaps.
        """
        start = 0 if begins and first == 0 else self.edges[first]
        end = self.image.shape[1] if ends and last == len(self.text) else self.edges[last]
        return self.image[:, start : max(start + 2, end)]


@dataclass(frozen=True)
class Part:
    """Letters first to last - 1 of a word, by its number."""

    word: int
    first: int
    last: int


class Recombined:
    """An endless source of words put together from pieces of `words`; which ones is a function of (seed, index).

    They cannot be guessed from their language, and their letters stand beside others than before; what photographs do
    to letters stays. Two words that share a crop are alike in colours, contrast and width.

    Raises:
        DataError: there are no words of three letters or more.
    """

    def __init__(self, words: Sequence[Letters], seed: int) -> None:
        if not any(len(word.text) > 2 for word in words):
            raise DataError("no letters were found in words of three or more: leave out data.recombined")
        self.words = list(words)
        self.seed = seed
        self._looks = np.array([_look(word) for word in self.words])

    def __len__(self) -> int:
        return 1 << 40

    def text(self, i: int, /) -> str:
        """Label of word i."""
        return self._spelled(self.parts(i, np.random.default_rng((self.seed, i))))

    def __getitem__(self, i: int, /) -> Sample:
        """Word i."""
        rng = np.random.default_rng((self.seed, i))
        parts = self.parts(i, rng)
        last = len(parts) - 1
        first, *others = [
            self.words[part.word].piece(part.first, part.last, k == 0, k == last) for k, part in enumerate(parts)
        ]
        if len({part.word for part in parts}) > 1:
            others = [_matched(_high(other, len(first)), first, rng) for other in others]
        return Sample(f"recombined {i}", _joined([first, *others]), self._spelled(parts), dataset="recombined")

    def _spelled(self, parts: Sequence[Part]) -> str:
        return "".join(self.words[part.word].text[part.first : part.last] for part in parts)

    def parts(self, i: int, rng: np.random.Generator) -> list[Part]:
        """What word i consists of; `rng` is that of the word."""
        for _ in range(_ATTEMPTS):
            word = int(rng.integers(len(self.words)))
            kind = (_part_of, _in_another_order, self._of_two)[int(rng.choice(3, p=_KINDS))]
            parts = kind(word, len(self.words[word].text), rng)
            text = self._spelled(parts)
            if 2 <= len(text) <= _LONGEST and text != self.words[word].text:
                return parts
        raise DataError(f"word {i}: {_ATTEMPTS} attempts yielded no word of 2 to {_LONGEST} letters")

    def _of_two(self, word: int, length: int, rng: np.random.Generator) -> list[Part]:
        """The begin of the word and the end of another that looks like it."""
        count = len(self.words)
        others = (word + 1 + rng.integers(0, max(1, count - 1), _LIKELY)) % count
        other = int(others[np.abs(self._looks[others] - self._looks[word]).sum(axis=1).argmin()])
        end = len(self.words[other].text)
        return [Part(word, 0, int(rng.integers(1, length + 1))), Part(other, int(rng.integers(0, end)), end)]


def _part_of(word: int, length: int, rng: np.random.Generator) -> list[Part]:
    size = int(rng.integers(2, max(3, length)))
    first = int(rng.integers(0, length - size + 1))
    return [Part(word, first, first + size)]


def _in_another_order(word: int, length: int, rng: np.random.Generator) -> list[Part]:
    """Two to four runs of its letters, shuffled; now and then one of them twice, or one left out."""
    cuts = np.sort(rng.permutation(np.arange(1, length))[: int(rng.integers(1, 4))]).tolist()
    runs = [Part(word, first, last) for first, last in zip([0, *cuts], [*cuts, length], strict=True)]
    order = rng.permutation(len(runs)).tolist()
    if rng.random() < 0.3:
        order.append(int(rng.integers(len(runs))))
    if len(order) > 2 and rng.random() < 0.3:
        order.pop()
    return [runs[k] for k in order]


def _look(word: Letters) -> npt.NDArray[np.float64]:
    """Mean colour, contrast and width of a letter, such that differences are about as important."""
    height, width = word.image.shape[:2]
    colour, contrast = word.image.reshape(-1, 3).mean(axis=0) / 100, word.image.std() / 100
    return np.array([*colour, contrast, 1.5 * np.log(width / height / len(word.text))])


def _high(piece: npt.NDArray[np.uint8], height: int) -> npt.NDArray[np.uint8]:
    """A piece as high as another."""
    if len(piece) == height:
        return piece
    width = max(2, round(piece.shape[1] * height / len(piece)))
    return np.asarray(Image.fromarray(piece).resize((width, height), Image.Resampling.BILINEAR))


def _matched(
    piece: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8], rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """A piece in the mean colour and contrast of another, mostly."""
    if rng.random() >= _MATCHED:
        return piece
    gain = np.clip(other.std() / (piece.std() + 1e-3), 0.5, 2.0)
    own, wanted = (x.reshape(-1, 3).mean(axis=0) for x in (piece, other))
    out: npt.NDArray[np.uint8] = ((piece - own) * gain + wanted).clip(0, 255).astype(np.uint8)
    return out


def _joined(pieces: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    """Pieces of one height side by side."""
    out = pieces[0].astype(np.float32)
    for piece in pieces[1:]:
        shared = min(_BLENDED, out.shape[1] - 1, piece.shape[1] - 1)
        fade = np.arange(1, shared + 1, dtype=np.float32)[:, None] / (shared + 1)
        seam = out[:, out.shape[1] - shared :] * (1 - fade) + piece[:, :shared] * fade
        out = np.concatenate([out[:, : out.shape[1] - shared], seam, piece[:, shared:]], axis=1)
    return out.clip(0, 255).astype(np.uint8)
