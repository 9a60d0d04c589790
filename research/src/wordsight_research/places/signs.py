"""The boards that words are written on in places: alike in all places, and whatever is written on them.

A board's size, colours, wear and place do not depend on its word, and its margin is wider than a crop's. So a crop
tells nothing about its place except by its word, and once the writing is painted over (`data.controls`) a scene tells
nothing about a word except by what the place looks like.
"""

import math
import random
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from wordsight.imaging.geometry import homography, project
from wordsight.synth.background import Color, luma, near, random_color
from wordsight.synth.fonts import CAP_HEIGHT
from wordsight_research.places.brush import Box
from wordsight_research.places.scripts import Hand

# Height of capitals in shares of the picture's height. In 1280 x 720 the median ICDAR 2015 test word is a box 34 px
# high, and half of it is the ascenders', descenders' and the annotator's: 0.03 to 0.07 is that and somewhat larger.
_CAPITALS = (0.03, 0.07)
_WIDE, _HIGH = (6.8, 8.6), (2.1, 2.6)  # of a board, in heights of its capitals: room for nine letters of most faces
_INK = 0.86, 0.66  # of the board's width and height at most: what is wider or higher is set smaller
_TRIES = 30
_EDGE = 3  # pixels of a board's plane around the ink that belong to the word's box


@dataclass(frozen=True, eq=False)
class Board:
    """An empty board that hangs somewhere.

    Attributes:
        corners: (4, 2) in the picture, clockwise from the top left, pixels.
        size: (width, height) of its own plane, in which capitals are `CAP_HEIGHT` high.
        ground: its colour.
        ink: the colour of its writing.
        blur: of the writing, pixels of the plane.
        blots: (x, y, radius) of places where the writing has come off, pixels of the plane.
    """

    corners: NDArray[np.float64]
    size: tuple[int, int]
    ground: Color
    ink: Color
    rim: Color
    blur: float
    blots: tuple[tuple[float, float, float], ...]

    @property
    def inside(self) -> NDArray[np.float64]:
        """Where writing can be: (4, 2) in the picture."""
        width, height = self.size
        x, y = width * (1 - _INK[0]) / 2, height * (1 - _INK[1]) / 2
        return self.seen((x, y, width - x, height - y))

    def seen(self, box: Box) -> NDArray[np.float64]:
        """A box of the plane as four corners in the picture."""
        return project(homography(_corners((0, 0, *self.size)), self.corners), _corners(box))


def _corners(box: Box) -> NDArray[np.float64]:
    x0, y0, x1, y1 = box
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], dtype=np.float64)


def hang_boards(
    rng: random.Random, count: int, size: tuple[int, int], areas: tuple[Box, ...], wear: float
) -> list[Board]:
    """Up to `count` boards, at least one, none on another, in the `areas` of a picture as far as there is room.

    `wear` from 0 (new) to 1 (half of the words can hardly be read).
    """
    boards: list[Board] = []
    for _ in range(count):
        board = _board(rng, size[1], wear)
        reach = np.abs(board.corners).max(0) + 2
        for tried in range(_TRIES):
            x0, y0, x1, y1 = rng.choice(areas) if tried < _TRIES // 2 else (0.0, 0.0, 1.0, 1.0)
            middle = np.array((rng.uniform(x0, x1) * size[0], rng.uniform(y0, y1) * size[1]))
            if (middle < reach).any() or (middle > size - reach).any():
                continue
            corners = board.corners + middle
            low, high = corners.min(0) - 2, corners.max(0) + 2
            if all((low > b.corners.max(0)).any() or (high < b.corners.min(0)).any() for b in boards):
                boards.append(replace(board, corners=corners))
                break
    return boards


def _board(rng: random.Random, height: int, wear: float) -> Board:
    """A board around (0, 0)."""
    capitals = height * math.exp(rng.uniform(*map(math.log, _CAPITALS)))
    wide, high, far = rng.uniform(*_WIDE), rng.uniform(*_HIGH), rng.uniform(-0.12, 0.12)
    x, left, right = wide * capitals / 2, high * capitals / 2 * (1 + far), high * capitals / 2 * (1 - far)
    angle = math.radians(rng.gauss(0, 3.5))
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    corners = np.array([(-x, -left), (x, -right), (x, right), (-x, left)]) @ turn
    ground = random_color(rng)
    # What can be read at all differs by 30 grey levels or more; wear takes the rest.
    worn = wear * rng.random()
    contrast = (1 - 0.75 * worn) * rng.uniform(90, 200)
    ink = _ink_color(rng, ground, contrast)
    size = (round(wide * CAP_HEIGHT), round(high * CAP_HEIGHT))
    blur = 0.17 * CAP_HEIGHT * wear * rng.random() ** 2
    blots = tuple(
        (rng.uniform(0, size[0]), rng.gauss(0.5, 0.15) * size[1], rng.uniform(0.1, 0.35) * CAP_HEIGHT)
        for _ in range(round(14 * wear * rng.random() ** 2))
    )
    return Board(corners, size, ground, ink, near(rng, ground, 40), blur, blots)


def _ink_color(rng: random.Random, ground: Color, contrast: float) -> Color:
    """A colour `contrast` grey levels brighter or darker than the ground, as far as there are any."""
    level = luma(ground)
    up = 255 - level > level if rng.random() < 0.8 else level < 100
    target = min(255.0, level + contrast) if up else max(0.0, level - contrast)
    tint = random_color(rng)
    shift = target - luma(tint)
    red, green, blue = (min(255, max(0, round(c + shift))) for c in tint)
    return red, green, blue


def paint_board(
    picture: Image.Image, board: Board, text: str, hand: Hand, rng: random.Random, written: bool
) -> NDArray[np.float64]:
    """Paints a board into the picture with one word on it, or empty; returns the word's four corners in the picture.

    `rng` chooses the face and where on the board the word stands.
    """
    width, height = board.size
    plane = Image.new("RGB", board.size, board.ground)
    ImageDraw.Draw(plane).rectangle((0, 0, width - 1, height - 1), outline=board.rim, width=3)
    mask = Image.fromarray(hand.write(rng, text).mask)
    scale = min(1.0, _INK[0] * width / mask.width, _INK[1] * height / mask.height)
    if scale < 1:
        mask = mask.resize((max(1, round(mask.width * scale)), max(1, round(mask.height * scale))))
    x = round((width - mask.width) * (0.5 if rng.random() < 0.6 else rng.uniform(0.15, 0.85)))
    y = (height - mask.height) // 2
    if written:
        letters = Image.new("L", board.size)
        letters.paste(mask, (x, y))
        draw = ImageDraw.Draw(letters)
        for blot_x, blot_y, radius in board.blots:
            draw.ellipse((blot_x - radius, blot_y - radius, blot_x + radius, blot_y + radius), fill=0)
        if board.blur > 0.3:
            letters = letters.filter(ImageFilter.GaussianBlur(board.blur))
        plane.paste(board.ink, None, letters)
    _hang(picture, board, plane)
    grown = _EDGE + board.blur
    return board.seen((x - grown, y - grown, x + mask.width + grown, y + mask.height + grown))


def _hang(picture: Image.Image, board: Board, plane: Image.Image) -> None:
    """Puts a board's plane into the picture, with a shadow."""
    x0, y0 = np.floor(board.corners.min(0)).astype(int) - 1
    x1, y1 = np.ceil(board.corners.max(0)).astype(int) + 2
    shrink = 2 if board.size[1] > 1.5 * (y1 - y0) else 1
    small = plane.reduce(shrink)
    back = homography(board.corners - (x0, y0), _corners((0, 0, board.size[0] / shrink, board.size[1] / shrink)))
    coefficients = tuple((back / back[2, 2]).ravel()[:8].tolist())
    size, how = (int(x1 - x0), int(y1 - y0)), Image.Transform.PERSPECTIVE
    seen = small.transform(size, how, coefficients, Image.Resampling.BILINEAR)
    cover = Image.new("L", small.size, 255).transform(size, how, coefficients, Image.Resampling.BILINEAR)
    picture.paste((30, 28, 28), (int(x0) + 2, int(y0) + 2), cover.point([v // 2 for v in range(256)]))
    picture.paste(seen, (int(x0), int(y0)), cover)
