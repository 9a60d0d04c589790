"""Finding training samples and scenes that are also in a test set."""

import hashlib
import re
import unicodedata

import numpy as np
import numpy.typing as npt
from PIL import Image

from wordsight.data.sample import Sample
from wordsight.data.scenes import Scene

_SIZE = (48, 16)  # columns and rows at which crops are compared
_ALIKE = 0.9  # correlation of grey levels above which two crops with the same text count as the same
_GRID = 16  # rows of differences, and differences in each row, of a perceptual hash
# Differing bits, of 256, up to which two photographs count as the same. Measured: copies at 0.4 of the size and JPEG
# quality 40 differ in at most 16 (100 scenes of ICDAR 2015); different photographs in at least 48 (1,317 training
# scenes of ICDAR 2015, SVT and ICDAR 2003 against 500 of ICDAR 2015's test), in at least 27 if one person took plain
# ones in succession (ICDAR 2003).
_SAME_SCENE = 20


class Gallery:
    """Test samples to compare others with: by their pixels, whatever the file format; with `similar`, also by
    appearance if the text is the same (case and white space aside).
    """

    def __init__(self, *, similar: bool = False) -> None:
        self._similar = similar
        self._exact: dict[bytes, tuple[str, str]] = {}  # digest of the pixels -> text and description
        self._alike: dict[str, list[tuple[npt.NDArray[np.float32], str]]] = {}

    def add(self, sample: Sample) -> None:
        """Add a sample of a test set."""
        text, where = _folded(sample.text), f"{sample.id} of {sample.dataset}"
        self._exact[digest(sample.image)] = text, where
        if self._similar:
            self._alike.setdefault(text, []).append((_look(sample.image), where))

    def duplicate_of(self, sample: Sample) -> str:
        """A description of the test sample that this one is a copy of; empty if there is none."""
        text = _folded(sample.text)
        if same := self._exact.get(digest(sample.image)):
            return same[1] if same[0] == text else f"{same[1]}, labelled {same[0]!r} there"
        if self._similar and (others := self._alike.get(text)):
            look = _look(sample.image)
            likeness, where = max((float(look @ other), where) for other, where in others)
            if likeness > _ALIKE:
                return f"like {where} (correlation {likeness:.2f})"
        return ""


class SceneGallery:
    """Test scenes to compare others with: by a perceptual hash of the photograph, whatever its size and format.

    Pictures of Open Images, which several data sets share, are also recognised by their ids.
    """

    def __init__(self) -> None:
        self._hashes: list[npt.NDArray[np.uint8]] = []
        self._names: list[str] = []
        self._ids: dict[str, str] = {}

    def add(self, scene: Scene, dataset: str) -> None:
        """Add a scene of a test set.

        Raises:
            DataError: it cannot be read.
        """
        name = f"{scene.id} of {dataset}"
        self._hashes.append(perceptual_hash(scene.load()))
        self._names.append(name)
        if key := _open_images_id(scene):
            self._ids[key] = name

    def duplicate_of(self, scene: Scene) -> str:
        """A description of the test scene that this one is a copy of; empty if there is none.

        Raises:
            DataError: it cannot be read.
        """
        if name := self._ids.get(_open_images_id(scene)):
            return f"{name}, by its Open Images id"
        if not self._hashes:
            return ""
        differing = np.bitwise_count(np.stack(self._hashes) ^ perceptual_hash(scene.load())).sum(axis=1)
        nearest = int(differing.argmin())
        if differing[nearest] > _SAME_SCENE:
            return ""
        return f"{self._names[nearest]} ({differing[nearest]} of {_GRID * _GRID} bits differ)"


def perceptual_hash(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """256 bits, as uint8 (32,): where the picture, reduced to 17 x 16 grey levels, gets brighter from left to right."""
    small = Image.fromarray(image).convert("L").resize((_GRID + 1, _GRID), Image.Resampling.BOX)
    grey: npt.NDArray[np.uint8] = np.asarray(small)
    return np.packbits(grey[:, 1:] > grey[:, :-1])


def _open_images_id(scene: Scene) -> str:
    name = scene.id.partition(".")[0]
    return name if re.fullmatch(r"[0-9a-f]{16}", name) else ""


def _folded(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def digest(image: npt.NDArray[np.uint8]) -> bytes:
    """A hash of a picture's pixels and size."""
    shape = "x".join(map(str, image.shape)).encode()
    return hashlib.blake2b(image.tobytes(), digest_size=16, key=shape).digest()


def _look(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Grey levels at a small size, as a vector of mean 0 and length 1 (0 for a crop of a single grey)."""
    small = Image.fromarray(image).convert("L").resize(_SIZE, Image.Resampling.BOX)
    grey: npt.NDArray[np.float32] = np.asarray(small, dtype=np.float32).ravel()
    grey = grey - grey.mean()
    length = np.linalg.norm(grey)
    return np.zeros_like(grey) if length < 1 else grey / np.float32(length)
