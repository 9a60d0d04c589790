"""Whole scenes and the words they hold, as pairs for the miniature CLIP: CLIPTER's scene encoder learns from them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch.utils.data import Dataset

from wordsight.data import Scene, read_scenes
from wordsight.errors import DataError
from wordsight.imaging import Preprocessing, prepare
from wordsight.models.clip import Clip, ClipConfig
from wordsight.models.clip.config import MEAN, STD, VOCAB_SIZE
from wordsight.models.config import ImageTowerConfig, TextTowerConfig
from wordsight_research.clip.training import Pairs
from wordsight_research.places.export import write_places
from wordsight_research.places.scenes import RenderedScenes

DIALS = (0.25, 0.5, 0.75, 1.0)
"""How informative rendered scenes are about their words; equally many of each."""

MOST_WORDS = 8
"""Of a caption: about 3 in 4 labelled photographs of ICDAR 2015 have no more."""

_CONTEXT = 32
"""Tokens: eight words of three and a half, which is what words of photographs come to at the long end."""

_KEPT = 0.7
"""Probability of a word to be in its scene's caption in training."""

Picture = npt.NDArray[np.uint8]
Watch = Callable[[Sequence[Scene], str], Iterable[Scene]]


def scene_clip(side: int = 96, width: int = 128, layers: int = 2) -> ClipConfig:
    """Towers for scenes of side x side pixels: tokens of 16 x 16 pixels and [CLS], CLIP's byte pairs as text."""
    stem = ((width // 8, 2, 2), (width // 4, 2, 2), (width // 2, 2, 2), (width, 2, 2))
    heads = max(1, width // 32)
    return ClipConfig(
        ImageTowerConfig(side, side, stem=stem, width=width, layers=layers, heads=heads, activation="gelu"),
        TextTowerConfig(VOCAB_SIZE, _CONTEXT, width // 2, layers, max(1, heads // 2), activation="gelu"),
        width,
    )


@dataclass(frozen=True, eq=False)
class SmallScene:
    """A scene as it is kept in memory.

    Attributes:
        name: which it is.
        picture: uint8 RGB, a square somewhat larger than the tower's input.
        words: what is written.
        places: (N, 2) float32, where: centres of the words, 0 to 1.
    """

    name: str
    picture: Picture
    words: tuple[str, ...]
    places: npt.NDArray[np.float32]

    @classmethod
    def of(cls, scene: Scene, side: int) -> "SmallScene":
        """Of a scene with words, squeezed as scene encoders do it.

        Raises:
            DataError: its picture cannot be read.
        """
        pixels = scene.load()
        height, width = pixels.shape[:2]
        square = Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)
        legible = [word for word in scene.words if word.legible]
        places = [word.polygon.mean(0) / (width, height) for word in legible]
        return cls(
            scene.id or scene.image.name,
            np.asarray(square),
            tuple(word.text for word in legible),
            np.array(places, np.float32),
        )

    def look(self, rng: np.random.Generator, side: int) -> tuple[Picture, str]:
        """A part of it in other light, maybe mirrored, and some of the words of that part in any order."""
        high, wide = rng.uniform(0.6, 1.0, 2)
        left, top = rng.uniform(0, 1 - wide), rng.uniform(0, 1 - high)
        inside = ((self.places > (left, top)) & (self.places < (left + wide, top + high))).all(1)
        if not inside.any():
            left, top, wide, high, inside = 0.0, 0.0, 1.0, 1.0, np.ones_like(inside)
        kept = rng.permutation(np.flatnonzero(inside))
        kept = kept[: max(1, rng.binomial(len(kept), _KEPT))][:MOST_WORDS]
        size = len(self.picture)
        box = (left * size, top * size, (left + wide) * size, (top + high) * size)
        pixels = np.asarray(Image.fromarray(self.picture).resize((side, side), Image.Resampling.BILINEAR, box))
        if rng.random() < 0.5:
            pixels = pixels[:, ::-1]
        gain, gamma = np.exp(rng.normal(0, 0.1, 3) + rng.normal(0, 0.2)), np.exp(rng.normal(0, 0.2))
        table = np.clip(255 * gain[:, None] * np.linspace(0, 1, 256) ** gamma, 0, 255).astype(np.uint8)
        pixels = np.stack([table[c][pixels[:, :, c]] for c in range(3)], axis=2)
        return pixels, " ".join(self.words[i] for i in kept)


class ScenePairs(Dataset[Pairs]):
    """Batches of pairs by number. A batch is of one kind of scene: photographs are told from drawings without reading.

    Args:
        model: which is to learn from them.
        kinds: scenes, by kind.
        weights: share of each kind's batches.
        batch_size: pairs in a batch; fewer where a kind has fewer scenes.
        seed: another seed, other pairs.
    """

    def __init__(
        self, model: Clip, kinds: Sequence[Sequence[SmallScene]], weights: Sequence[float], batch_size: int, seed: int
    ) -> None:
        self.tokens = model.tokens
        self.spec = preprocessing(model.cfg)
        self.kinds = kinds
        self.weights = np.array(weights) / sum(weights)
        self.batch_size = batch_size
        self.seed = seed

    def __getitem__(self, step: int) -> Pairs:
        """The pairs of a step."""
        rng = np.random.default_rng((self.seed, step))
        scenes = self.kinds[rng.choice(len(self.kinds), p=self.weights)]
        rows = rng.choice(len(scenes), min(self.batch_size, len(scenes)), replace=False)
        looks = [scenes[i].look(rng, self.spec.height) for i in rows]
        images = torch.from_numpy(prepare([picture for picture, _ in looks], self.spec))
        return Pairs(images, self.tokens([text for _, text in looks]), step, tuple(scenes[i].name for i in rows))


def preprocessing(cfg: ClipConfig) -> Preprocessing:
    """How pictures become the image tower's input."""
    return Preprocessing(cfg.image.height, cfg.image.width_px, MEAN, STD)


def held_out_pairs(model: Clip, scenes: Sequence[Scene]) -> Pairs:
    """Scenes as they are, each with its first words."""
    images = np.concatenate([prepare([scene.load()], preprocessing(model.cfg)) for scene in scenes])
    texts = [" ".join([word.text for word in scene.words if word.legible][:MOST_WORDS]) for scene in scenes]
    return Pairs(torch.from_numpy(images), model.tokens(texts))


def split(folders: Sequence[Path], share: float = 0.1) -> tuple[list[Scene], list[Scene]]:
    """(training, held-out) scenes with words; the last `share` of every folder is held out: neighbours look alike.

    Raises:
        DataError: a folder has no scenes, or too few with words.
    """
    training: list[Scene] = []
    held_out: list[Scene] = []
    for folder in folders:
        scenes = [scene for scene in read_scenes(folder) if any(word.legible for word in scene.words)]
        cut = len(scenes) - max(1, round(share * len(scenes)))
        if cut < 1:
            raise DataError(f"{folder}: {len(scenes)} scenes with words are too few: give more")
        training += scenes[:cut]
        held_out += scenes[cut:]
    return training, held_out


def render(folder: Path, count: int, seed: int, fonts: Sequence[Path] = ()) -> list[Path]:
    """Folders of rendered scenes, one for each of `DIALS`, `count` scenes in all; those that are there are kept.

    Seeds begin at 1000: experiments train on and read scenes of the first few.

    Raises:
        DataError: they cannot be written.
    """
    made = []
    for k, dial in enumerate(DIALS):
        each, number = max(2, count // len(DIALS)), 1000 * (seed + 1) + k
        one = folder / f"dial-{dial:g}-{each}-{number}"
        if not (one / "scenes.jsonl").is_file():
            for _ in write_places(RenderedScenes(each, number, informative=dial, fonts=fonts or None), one):
                pass
        made.append(one)
    return made
