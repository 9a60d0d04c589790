"""Whole pictures of the kinds of texts found on signs, receipts, price tags, displays and packages."""

import io
import math
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from wordsight.data.scenes import SceneWord
from wordsight.errors import ConfigError
from wordsight.synth.background import Color, contrasting, luma, near, procedural, random_color
from wordsight.synth.dots_and_segments import set_dots, set_segments
from wordsight.synth.faces import FontBook, select_faces
from wordsight.synth.figures import FIGURES
from wordsight.synth.fonts import CAP_HEIGHT, font_index
from wordsight.synth.kinds import Texts
from wordsight.synth.scene import RenderedScene
from wordsight.synth.setting import set_line

Box = tuple[int, int, int, int]


class RenderedNotices:
    """Pictures with several texts of one kind each; picture i is a function of (seed, kind, i), fonts and word lists.

    They are plain and readable: a little askew, blurred and noisy, as a telephone takes them. A word of a picture is a
    line, of a receipt the item and its amount, with one space between.

    Args:
        kind: one of `NOTICES`.
        held_out: see `lines.RenderedLines`.

    Raises:
        ConfigError: there is no such kind; `wordfreq` is not installed.
        DataError: a folder or list is missing or useless.
    """

    def __init__(
        self,
        kind: str,
        seed: int = 0,
        fonts: Sequence[str | Path] | None = None,
        words: Sequence[str | Path] = (),
        held_out: bool | None = False,
    ) -> None:
        if kind not in NOTICES:
            raise ConfigError(f"no kind of picture is called {kind!r}: there are {', '.join(NOTICES)}")
        self._kind, self._seed = kind, seed
        self._book = FontBook(select_faces(font_index(fonts), held_out))
        self._texts = Texts(words)

    def __getitem__(self, i: int, /) -> RenderedScene:
        """Picture i."""
        rng = random.Random(f"notices/{self._seed}/{self._kind}/{i}")
        sheet = _Sheet(rng, self._book, self._texts)
        NOTICES[self._kind](sheet)
        return sheet.photograph()


class _Sheet:
    """A picture while it is drawn, and where its lines are."""

    def __init__(self, rng: random.Random, book: FontBook, texts: Texts) -> None:
        self.rng, self.book, self.texts = rng, book, texts
        self.picture = Image.new("RGB", (1, 1))
        self.lines: list[tuple[str, Box]] = []

    def ground(self, size: tuple[int, int], color: Color) -> None:
        """Begins with a ground of (width, height) pixels around a colour."""
        flat = self.rng.random() < 0.6
        self.picture = Image.new("RGB", size, color) if flat else procedural(self.rng, size, color)
        if not flat:  # what is written stands on something quiet
            self.picture = Image.blend(
                self.picture.filter(ImageFilter.GaussianBlur(4)), Image.new("RGB", size, color), 0.5
            )

    def face(self, manner: str, text: str) -> int:
        """A face that draws a text."""
        return self.book.pick(self.rng, text, manner) or 0

    def write(self, text: str, face: int, x: float, y: float, cap: float, color: Color, anchor: str = "l") -> Box:
        """Writes on a baseline with capitals `cap` pixels high, from, to or around x; the ink's box."""
        line = set_line(self.book, face, text)
        if line is None:
            return int(x), int(y), int(x), int(y)
        return self.stamp(line.mask, x, y - line.baseline * cap / CAP_HEIGHT, cap / CAP_HEIGHT, color, anchor)

    def stamp(
        self, mask: NDArray[np.uint8], x: float, top: float, scale: float, color: Color, anchor: str = "l"
    ) -> Box:
        """Paints a mask, `scale` times as large, with its top edge at `top`; its box."""
        size = max(1, round(mask.shape[1] * scale)), max(1, round(mask.shape[0] * scale))
        small = Image.fromarray(mask).resize(size, Image.Resampling.LANCZOS)
        left = round(x - (size[0] if anchor == "r" else size[0] / 2 if anchor == "m" else 0))
        self.picture.paste(color, (left, round(top)), small)
        return left, round(top), left + size[0], round(top) + size[1]

    def width(self, text: str, face: int, cap: float) -> float:
        """How wide a text is with capitals `cap` pixels high."""
        line = set_line(self.book, face, text)
        return 0.0 if line is None else line.mask.shape[1] * cap / CAP_HEIGHT

    def ink(self, paper: Color) -> Color:
        """A colour that is clear on this one."""
        if self.rng.random() < 0.6:
            return near(self.rng, (24, 24, 28) if luma(paper) > 120 else (245, 245, 240), 8)
        return contrasting(self.rng, paper, 110)

    def photograph(self) -> RenderedScene:
        """The picture a little askew, out of focus and noisy, and stored as JPEG."""
        rng, (width, height) = self.rng, self.picture.size
        angle = rng.gauss(0, 0.8) if rng.random() < 0.6 else 0.0
        corner = self.picture.getpixel((2, 2))
        seen = self.picture.rotate(angle, Image.Resampling.BICUBIC, fillcolor=corner)
        seen = seen.filter(ImageFilter.GaussianBlur(rng.choice((0.0, 0.4, 0.7, 0.9))))
        noise = np.random.default_rng(rng.getrandbits(64)).normal(0, rng.choice((0.5, 2.0, 4.0)), (height, width, 1))
        pixels = np.clip(np.asarray(seen, np.float32) + noise, 0, 255).astype(np.uint8)
        stored = io.BytesIO()
        Image.fromarray(pixels).save(stored, "JPEG", quality=rng.randint(70, 95))
        image = np.asarray(Image.open(stored).convert("RGB"))
        cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))

        def moved(x: float, y: float) -> tuple[float, float]:
            dx, dy = x - width / 2, y - height / 2
            return round(width / 2 + cos * dx + sin * dy, 1), round(height / 2 - sin * dx + cos * dy, 1)

        lines = [
            SceneWord(np.array([moved(x0, y0), moved(x1, y0), moved(x1, y1), moved(x0, y1)]), text, legible=True)
            for text, (x0, y0, x1, y1) in self.lines
        ]
        return RenderedScene(image, tuple(lines))


def _signs(sheet: _Sheet) -> None:
    """One to three boards with a line or two in capitals."""
    rng = sheet.rng
    count = rng.randint(1, 3)
    width, high = rng.randint(480, 900), rng.randint(130, 190)
    sheet.ground((width, 60 + count * (high + 30)), random_color(rng))
    draw = ImageDraw.Draw(sheet.picture)
    for k in range(count):
        top, paper = 40 + k * (high + 30), random_color(rng)
        draw.rectangle((30, top, width - 30, top + high), fill=paper)
        text = sheet.texts.sign(rng)
        face = sheet.face("plain", text)
        cap = min(rng.uniform(24, 60), (width - 120) / max(1.0, sheet.width(text, face, 1)))
        box = sheet.write(text, face, width / 2, top + high / 2 + cap / 2, cap, sheet.ink(paper), "m")
        sheet.lines.append((text, box))


def _receipt(sheet: _Sheet) -> None:
    """A head, rows of items and amounts, a date."""
    rng = sheet.rng
    rows, cap = rng.randint(4, 10), rng.uniform(11, 18)
    width, step = round(cap * rng.uniform(26, 36)), cap * rng.uniform(1.9, 2.8)
    paper = near(rng, (rng.randint(225, 255),) * 3, 4)
    sheet.ground((width, round(3.5 * cap + (rows + 4) * step)), paper)
    color = near(rng, (30, 30, 34), 12)
    head = sheet.texts.sign(rng)
    wide = sheet.face("plain", head)
    size = min(1.4 * cap, 0.8 * width / max(1.0, sheet.width(head, wide, 1)))
    y = 3 * cap
    sheet.lines.append((head, sheet.write(head, wide, width / 2, y, size, color, "m")))
    face = sheet.face("mono" if rng.random() < 0.6 else "plain", "Aa0,.")
    y += 0.7 * step
    while rows:
        item, price = sheet.texts.bought(rng)
        if not sheet.book.able(item + price) >> face & 1:
            continue
        if sheet.width(item, face, cap) + sheet.width(price, face, cap) > width - 5 * cap:
            continue
        y, rows = y + step, rows - 1
        left = sheet.write(item, face, 1.2 * cap, y, cap, color)
        right = sheet.write(price, face, width - 1.2 * cap, y, cap, color, "r")
        box = left[0], min(left[1], right[1]), right[2], max(left[3], right[3])
        sheet.lines.append((f"{item} {price}", box))
    day = f"{rng.randint(2019, 2029)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
    date = f"{day} {rng.randint(8, 21):02d}:{rng.randint(0, 59):02d}"
    sheet.lines.append((date, sheet.write(date, face, 1.2 * cap, y + 1.5 * step, cap, color)))


def _prices(sheet: _Sheet) -> None:
    """Price tags in a grid: a large price and what it is for."""
    rng = sheet.rng
    columns, rows = rng.randint(1, 3), rng.randint(1, 3)
    wide, high = rng.randint(250, 330), rng.randint(130, 170)
    sheet.ground((columns * wide + 30, rows * high + 30), random_color(rng))
    draw = ImageDraw.Draw(sheet.picture)
    paper = near(rng, rng.choice(((252, 252, 250), (255, 226, 60), (214, 32, 44), (250, 250, 250))), 6)
    color, front = (
        sheet.ink(paper),
        rng.choice(("£{}", "€{}", "${}", "¥{}", "{} €", "{} zł", "{} Kč", "{} kr", "{}€", "€ {}")),
    )
    for k in range(columns * rows):
        left, top = 25 + k % columns * wide, 25 + k // columns * high
        draw.rectangle((left, top, left + wide - 25, top + high - 25), fill=paper)
        amount = (
            f"{rng.randint(0, 10 ** rng.randint(1, 3))}{rng.choice('.,')}{rng.choice(('99', '49', '50', '00', '95'))}"
        )
        amount = amount.replace(".", "").replace(",", "") if "¥" in front else amount
        item, price = sheet.texts.bought(rng)[0], front.format(amount)
        for text, y, cap in ((item, 0.27 * high, 15.0), (price, 0.65 * high, 36.0)):
            face = sheet.face("plain", text)
            cap = min(cap, (wide - 60) / max(1.0, sheet.width(text, face, 1)))
            box = sheet.write(text, face, left + (wide - 25) / 2, top + y, cap, color, "m")
            sheet.lines.append((text, box))


def _displays(sheet: _Sheet) -> None:
    """One to three displays of seven segments in the front of a device."""
    rng = sheet.rng
    count, high = rng.randint(1, 3), rng.randint(120, 200)
    width = rng.randint(420, 640)
    sheet.ground(
        (width, 40 + count * (high + 24)), near(rng, rng.choice(((60, 62, 66), (200, 202, 204), (150, 40, 40))), 10)
    )
    draw = ImageDraw.Draw(sheet.picture)
    glass, color = rng.choice(
        (((160, 172, 148), (24, 30, 26)), ((18, 14, 16), (255, 60, 40)), ((178, 184, 170), (30, 32, 30)),
         ((14, 18, 16), (60, 255, 90)), ((30, 60, 190), (235, 240, 250)))
    )  # fmt: skip
    for k in range(count):
        top = 30 + k * (high + 24)
        draw.rectangle((30, top, width - 30, top + high), fill=glass)
        shown = None
        while shown is None:
            text = FIGURES["displays"](rng)
            shown = set_segments(rng, text) if any(c.isdigit() for c in text) else None
        cap = min(rng.uniform(50, 90), 0.7 * high, (width - 110) * CAP_HEIGHT / shown.lit.mask.shape[1])
        box = sheet.stamp(shown.lit.mask, width / 2, top + (high - cap) / 2, cap / CAP_HEIGHT, color, "m")
        sheet.lines.append((text, box))


def _stamps(sheet: _Sheet) -> None:
    """One to three lines of dots on a package."""
    rng = sheet.rng
    count, cap = rng.randint(1, 3), rng.uniform(28, 48)
    width = rng.randint(560, 800)
    paper = near(rng, rng.choice(((250, 250, 248), (225, 220, 210), (180, 200, 215), (240, 220, 150))), 8)
    sheet.ground((width, round(80 + count * 2 * cap)), paper)
    color = near(rng, (26, 26, 40), 12)
    for k in range(count):
        line = None
        while line is None or line.mask.shape[1] * cap / CAP_HEIGHT > width - 80:
            text = FIGURES["stamps"](rng)
            line = set_dots(rng, text)
        box = sheet.stamp(line.mask, 40, 50 + 2 * k * cap, cap / CAP_HEIGHT, color)
        sheet.lines.append((text, box))


NOTICES: Mapping[str, Callable[[_Sheet], None]] = {
    "signs": _signs,
    "receipts": _receipt,
    "prices": _prices,
    "displays": _displays,
    "stamps": _stamps,
}
"""The kinds of pictures and who draws them."""
