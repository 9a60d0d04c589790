"""Views and mixtures of sources. Everything is a function of (seed, index), so that a run can be resumed."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import numpy.typing as npt
from PIL import Image

from wordsight.data.controls import Mode
from wordsight.data.index import label_index
from wordsight.data.labels import rejection, trained_label
from wordsight.data.sample import JoinedSource, Sample, Source
from wordsight.data.scene_words import ScenesSource
from wordsight.errors import ConfigError, DataError
from wordsight.imaging.geometry import FEW, TALL
from wordsight.text import Charset

log = logging.getLogger(__name__)

Indices = Sequence[int] | npt.NDArray[np.uint32]

_SLOTS = 1024
_ATTEMPTS = 16  # with one sample in a hundred broken, all sixteen fail once in 1e32
_REPORTED = 20  # broken samples that are logged one by one
_MASK = (1 << 64) - 1


@dataclass(eq=False)
class View:
    """Samples `indices` of `source`, in that order; with `charset`, labels have the form in which it is learned."""

    source: Source
    indices: Indices
    charset: Charset | None = None

    def __len__(self) -> int:
        return len(self.indices)

    def place(self, i: int) -> int:
        """Which sample of the source is sample i of the view."""
        return int(self.indices[i])

    def _label(self, given: str) -> str:
        return given if self.charset is None else trained_label(given, self.charset)

    def text(self, i: int) -> str:
        """Label of sample i of the view."""
        return self._label(self.source.text(self.place(i)))

    def __getitem__(self, i: int) -> Sample:
        """Sample i of the view."""
        sample = self.source[self.place(i)]
        return replace(sample, text=self._label(sample.text))


class TrainableLabels(View):
    """An endless `source` in which every sample whose label a recognizer cannot be trained on is replaced by another.

    Labels are in the form that it learns, see `data.labels`; the replacement is a function of the place alone. An empty
    label, of a crop without text, is trainable.
    """

    def __init__(self, source: Source, charset: Charset, max_length: int) -> None:
        super().__init__(source, range(len(source)), charset)
        self._rejection = partial(rejection, charset=charset, max_length=max_length)

    def place(self, i: int) -> int:
        """Which sample of the source is sample i."""
        for place in _candidates(i, len(self.source)):
            given = self.source.text(place)
            if not given or not self._rejection(given):
                return place
        raise DataError(f"{_ATTEMPTS} labels in a row have no character of this charset: use another charset")


@dataclass(eq=False)
class SkipBroken:
    """`source`, with every sample that cannot be read replaced by another.

    The replacement is a function of the place alone; the sample says so in `problem`, and its label is the one in the
    sample, not in `text(i)`. `broken` holds what this process came across.

    Raises:
        DataError: from `[i]`, if sixteen samples in a row cannot be read.
    """

    source: Source
    broken: set[int] = field(default_factory=set, init=False)

    def __len__(self) -> int:
        return len(self.source)

    def text(self, i: int) -> str:
        """Label of sample i, or of its replacement if that label cannot be read."""
        for place in _candidates(i, len(self.source)):
            try:
                return self.source.text(place)
            except DataError as error:
                problem = error
        raise problem

    def __getitem__(self, i: int) -> Sample:
        """Sample i, or the first readable one of its replacements."""
        problem: DataError | None = None
        for place in _candidates(i, len(self.source)):
            try:
                sample = self.source[place]
            except DataError as error:
                if place not in self.broken and len(self.broken) < _REPORTED:
                    log.warning("left out: %s", error)
                self.broken.add(place)
                problem = problem or error
            else:
                return replace(sample, problem=str(problem)) if problem else sample
        raise DataError(f"{problem} (and so are {_ATTEMPTS - 1} others of this data set: check it)") from problem


class RotatedTall(View):
    """`source` with tall crops of more than two characters rotated clockwise by 90 degrees.

    A reader tries tall boxes in both rotations; a recognizer trained on squeezed ones mistakes others for the few that
    it has seen. In most of 127 such training crops (IIIT5K, SVT, ICDAR 2003 and 2015) text runs upwards, so this makes
    it level. Links to scenes are not changed.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source, range(len(source)))

    def __getitem__(self, i: int) -> Sample:
        """Sample i."""
        sample = self.source[i]
        height, width = sample.image.shape[:2]
        if height <= TALL * width or len(sample.text) <= FEW:
            return sample
        return replace(sample, image=np.ascontiguousarray(np.rot90(sample.image, 3)))


def rotated(sample: Sample, degrees: float) -> Sample:
    """A sample rotated anticlockwise on a black canvas that holds all of it, as in PARSeq's evaluation."""
    if not degrees:
        return sample
    image = Image.fromarray(sample.image).rotate(degrees, Image.Resampling.NEAREST, expand=True)
    return replace(sample, image=np.asarray(image))


def _candidates(i: int, size: int) -> Iterator[int]:
    """Sample i of `size`, then those that may replace it."""
    yield i
    for attempt in range(1, _ATTEMPTS):
        yield _hash(i, attempt) % size


def subset(source: Source, start: int, stop: int) -> View:
    """Samples start to stop - 1 of `source`."""
    return View(source, range(len(source))[start:stop])


def holdout(source: Source, fraction: float) -> tuple[View, View]:
    """Splits `source` into (training, validation), the validation part being its last `fraction`.

    Sources list the crops of a scene consecutively (folders in the natural order of their names), so a single cut
    divides at most one scene; in a `ScenesSource`, or a view of one, it is moved to the start of a scene.
    """
    if not 0 <= fraction <= 1:
        raise ConfigError(f"a holdout fraction of {fraction} is not between 0 and 1")
    cut = len(source) - round(len(source) * fraction)
    while 0 < cut < len(source) and (scene := _scene(source, cut)) is not None and scene == _scene(source, cut - 1):
        cut -= 1
    return subset(source, 0, cut), subset(source, cut, len(source))


def _scene(source: Source, i: int) -> tuple[int, int] | None:
    """Part and number of the scene that sample i was cut from, if known."""
    part = 0
    while True:
        if isinstance(source, View):
            i, source = source.place(i), source.source
        elif isinstance(source, JoinedSource):
            part, i = source.locate(i)
            source = source.parts[part]
        else:
            return (part, source.words[i][0]) if isinstance(source, ScenesSource) else None


def fold(source: ScenesSource, number: int, of: int, *, seed: int = 0) -> tuple[View, View]:
    """(training, validation) parts of `source`: the words of fold `number` of `of` are the validation part.

    Scenes are dealt to the folds in an order that depends only on the seed and their ids, not on the file: folds differ
    by at most one scene in size, and each scene is in one of them.

    Raises:
        ConfigError: there is no such fold, or fewer scenes than folds.
    """
    if not 0 <= number < of:
        raise ConfigError(f"there is no fold {number} of {of}: count from 0")
    if of > len(source.scenes):
        raise ConfigError(f"{len(source.scenes)} scenes cannot be split into {of} folds: ask for fewer")
    held = set(scene_order(source, seed)[number::of])
    parts: tuple[list[int], list[int]] = ([], [])
    for i, (scene, _) in enumerate(source.words):
        parts[scene in held].append(i)
    return View(source, parts[0]), View(source, parts[1])


def scene_order(source: ScenesSource, seed: int = 0) -> list[int]:
    """Numbers of all scenes in a random order that is a function of (seed, data set, split, id) of each."""

    def key(number: int) -> tuple[str, int]:
        scene = source.scenes[number]
        name = f"{seed}/{scene.dataset}/{scene.split}/{scene.id or scene.image.name}"
        return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest(), number

    return sorted(range(len(source.scenes)), key=key)


def show_scenes(source: Source, mode: Mode, seed: int) -> None:
    """Links the words of all photographs within a source to what a control shows, see `ScenesSource.show`.

    Raises:
        ConfigError: there is only one scene to shuffle.
    """
    if isinstance(source, ScenesSource):
        source.show(mode, seed)
    elif isinstance(source, JoinedSource):
        for part in source.parts:
            show_scenes(part, mode, seed)
    elif isinstance(source, View | SkipBroken):
        show_scenes(source.source, mode, seed)


def filter_labels(source: Source, charset: Charset, max_length: int = 40) -> tuple[View, dict[str, int]]:
    """The samples of `source` that a recognizer can be trained on, with labels in the form that it learns.

    Returns the view and the number of samples left out by reason: "empty" (nothing left after normalising), "too long"
    (more than `max_length` characters), "unknown characters", and "unreadable label" if there are any; see
    `data.labels` for the rules. For LMDB archives the result is cached in an index file, see `data.index`.
    """
    index = label_index(source, charset, max_length)
    return View(source, index.indices, charset), index.dropped


def _hash(*values: int) -> int:
    """64 well-mixed bits of some integers (splitmix64's finaliser, Steele et al. 2014)."""
    state = 0
    for value in values:
        state = (state + value + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state


def permuted(position: int, size: int, key: int) -> int:
    """Where a random permutation of range(size) puts `position`; nothing is stored, so size may be astronomical.

    A four-round Feistel network on the smallest even number of bits that holds size - 1, iterated until in range.
    """
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    mask = (1 << half) - 1
    while True:
        left, right = position >> half, position & mask
        for step in range(4):
            left, right = right, left ^ (_hash(key + (step << 40) + right) & mask)
        position = (left << half) | right
        if position < size:
            return position


class Mixture:
    """Samples of several sources by weight; endless, since the sample of any index >= 0 is a function of (seed, index).

    The sources share each run of 1,024 indices in proportion to their weights (at least one slot each), in shuffled
    order. Each source is traversed in a new random order whenever it is used up.

    Raises:
        ConfigError: no sources, an empty source, or weights that do not fit.
    """

    def __init__(self, sources: Sequence[Source], weights: Sequence[float], seed: int) -> None:
        if not 1 <= len(sources) == len(weights) <= _SLOTS:
            raise ConfigError(f"{len(sources)} sources and {len(weights)} weights: give one weight for each source")
        if min(weights) <= 0 or not np.isfinite(weights).all():
            raise ConfigError(
                f"weights {list(weights)} must be positive numbers: leave out sources that you do not want"
            )
        for number, source in enumerate(sources):
            if not len(source):
                raise ConfigError(f"source {number} of the mixture is empty: leave it out")
        self.sources = list(sources)
        self.seed = seed
        share = np.asarray(weights, dtype=np.float64) / sum(weights) * _SLOTS
        counts = np.maximum(np.floor(share), 1).astype(int)
        while counts.sum() > _SLOTS:
            counts[int(np.argmax(counts - share))] -= 1
        while counts.sum() < _SLOTS:
            counts[int(np.argmax(share - counts))] += 1
        slots = np.random.default_rng((seed, 0)).permutation(np.repeat(np.arange(len(sources)), counts))
        ranks = np.empty(_SLOTS, dtype=int)  # how often a slot's source occurs before it
        for number in range(len(sources)):
            ranks[slots == number] = np.arange(counts[number])
        self._slots, self._ranks, self._counts = slots.tolist(), ranks.tolist(), counts.tolist()

    def locate(self, index: int) -> tuple[int, int]:
        """(number of the source, number of the sample in it) behind `index`."""
        if index < 0:
            raise IndexError(f"index {index} is negative")
        turn, slot = divmod(index, _SLOTS)
        number = self._slots[slot]
        visit = turn * self._counts[number] + self._ranks[slot]
        size = len(self.sources[number])
        epoch, position = divmod(visit, size)
        return number, permuted(position, size, _hash(self.seed, number, epoch))

    def text(self, index: int) -> str:
        """Label of the sample behind `index`."""
        number, i = self.locate(index)
        return self.sources[number].text(i)

    def __getitem__(self, index: int) -> Sample:
        """The sample behind `index`."""
        number, i = self.locate(index)
        return self.sources[number][i]
