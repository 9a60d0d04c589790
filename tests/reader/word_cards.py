"""Pictures of word cards, and a recognizer that reads them: exact answers for testing all that is around a model.

A card is a coloured rectangle whose colour stands for its text. Its left sixth is dark, so that the recognizer can tell
which way up it is. All else, noise included, has no text.
"""

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from wordsight.decoding import Char, Reading
from wordsight.imaging import Preprocessing

BACKGROUND = 235


@dataclass(frozen=True)
class FoundCard:
    polygon: np.ndarray
    score: float = 1.0


class CardReader:
    """Reads cards; counts its batches. Upside down a card says `ɐ` for every letter, on its side `I`: both doubtful."""

    provider = "CardExecutionProvider"
    preprocessing = Preprocessing()

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = list(texts)
        self.batches: list[int] = []

    def colour(self, text: str) -> np.ndarray:
        hue = self.texts.index(text) / len(self.texts)
        return np.array([round(255 * c) for c in colorsys.hsv_to_rgb(hue, 0.8, 0.85)], np.uint8)

    def read(self, images: np.ndarray) -> list[Reading]:
        self.batches.append(len(images))
        return [self._read_one(np.clip((image * 0.5 + 0.5) * 255, 0, 255)) for image in images]

    def _read_one(self, pixels: np.ndarray) -> Reading:
        centre = pixels[:, 12:20, 56:72].mean(axis=(1, 2))
        distances = [float(np.abs(centre - self.colour(text)).max()) for text in self.texts]
        if min(distances) > 40 or np.ptp(centre) < 60:
            return Reading("", 0.95)
        text = self.texts[int(np.argmin(distances))]
        bright = pixels.mean(axis=0)
        left, right, top = bright[10:20, 4:14].mean(), bright[10:20, -14:-4].mean(), bright[1:4, 40:90].mean()
        middle = bright[12:20, 56:72].mean()
        if left < 0.7 * middle and right > 0.7 * middle:
            return reading(text, 0.97)
        if right < 0.7 * middle:
            return reading("ɐ" * len(text), 0.6)
        return reading("I" if top < 0.7 * middle else "H", 0.75)


class TwoWords:
    """A reader of lines that takes each for two words of four letters, from 0 to 0.4 and from 0.5 to 1 of its width."""

    provider = "CardExecutionProvider"
    preprocessing = Preprocessing(width=None)

    def read(self, images: np.ndarray) -> list[Reading]:
        words = [_placed("left", 0.0, 0.4), _placed("more", 0.5, 1.0)]
        chars = (*words[0].chars, Char(" ", 0.97), *words[1].chars)
        places = (*words[0].places, (0.4, 0.5), *words[1].places)
        return [Reading("left more", 0.9, chars, places=places, words=tuple(words))] * len(images)


def _placed(text: str, start: float, end: float) -> Reading:
    edges = np.linspace(start, end, len(text) + 1).tolist()
    return replace(reading(text, 0.97), places=tuple(pairwise(edges)))


def reading(text: str, probability: float) -> Reading:
    chars = tuple(Char(c, probability, (("?", 1 - probability),)) for c in text)
    return Reading(text, probability ** (len(text) + 1), chars)


def card(reader: CardReader, text: str, width: int, height: int) -> np.ndarray:
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[:] = reader.colour(text)
    pixels[:, : width // 6] = pixels[:, : width // 6] * 0.4
    pixels[round(0.65 * height) : round(0.75 * height)] = 255
    pixels[round(0.75 * height) : round(0.85 * height)] = 0
    return pixels


class Board:
    """A picture with cards on it, which also knows where they are: photo and detector in one."""

    def __init__(self, reader: CardReader, width: int = 640, height: int = 480) -> None:
        self.reader = reader
        self.image = np.full((height, width, 3), BACKGROUND, np.uint8)
        self.boxes: list[FoundCard] = []

    def put(
        self, text: str, x: int, y: int, width: int = 80, height: int = 30, turn: int = 0, box: bool = True
    ) -> None:
        """Puts a card down, turned counter-clockwise by quarters; its box begins at the upper left corner anyway."""
        pixels = np.rot90(card(self.reader, text, width, height), turn)
        h, w = pixels.shape[:2]
        self.image[y : y + h, x : x + w] = pixels
        if box:
            self.box(x, y, w, h)

    def box(self, x: float, y: float, w: float, h: float) -> None:
        self.boxes.append(FoundCard(np.array([(x, y), (x + w, y), (x + w, y + h), (x, y + h)], np.float64)))

    def detect(self, image: np.ndarray) -> list[FoundCard]:
        assert image.shape == self.image.shape
        return list(self.boxes)
