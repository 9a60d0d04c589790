"""An explanation as a picture: for each character what the decoders looked at, in the crop and in the caption."""

from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from wordsight.decoding import Char, Reading
from wordsight.explain.reading import Explanation

# Okabe and Ito's palette, which colour-blind people can tell apart.
BLUE, ORANGE, GREEN = (0, 114, 178), (213, 94, 0), (0, 158, 115)
_INK, _GREY, _LINE, _PAPER = (25, 25, 28), (120, 120, 126), (225, 225, 228), (255, 255, 255)

_EDGE = 24  # pixels around everything
_GAP = 14  # between columns
_TILE = 260  # width of a crop in the table
_LABEL = 190  # width of the column with the characters

_Crop = npt.NDArray[np.uint8]
_Map = npt.NDArray[np.floating]


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def heat(crop: _Crop, attention: _Map, color: tuple[int, int, int], size: tuple[int, int]) -> Image.Image:
    """The crop, pale and grey, under a map (rows, columns) of its attention; the largest value has the full colour."""
    grey = Image.fromarray(crop).resize(size, Image.Resampling.LANCZOS).convert("L").convert("RGB")
    pale = Image.blend(grey, Image.new("RGB", size, (255, 255, 255)), 0.35)
    strength = attention / max(float(attention.max()), 1e-12)
    cover = Image.fromarray((strength * 200).astype(np.uint8)).resize(size, Image.Resampling.BILINEAR)
    pale.paste(Image.new("RGB", size, color), None, cover)
    return pale


def draw_explanation(crop: _Crop, explanation: Explanation) -> Image.Image:
    """The picture that `wordsight explain` writes.

    Args:
        crop: uint8 RGB (h, w, 3), as it was read.
        explanation: what an `Explainer` said of it.
    """
    tile = _TILE, int(np.clip(_TILE * crop.shape[0] / crop.shape[1], 44, 140))
    columns = [("visual decoder", explanation.visual, BLUE)]
    if explanation.cross is not None:
        columns.append(("cross-modal decoder", explanation.cross, ORANGE))
    rows = [*explanation.result.chars, _end(explanation.result)]
    cells = _Cells(explanation)
    left = _EDGE + _LABEL
    wide = left + len(columns) * (_TILE + _GAP) + cells.width + _EDGE
    head = _EDGE + max(110, 30 * len(explanation.stages)) + 30
    pitch = tile[1] + 12
    picture = Image.new("RGB", (max(wide, 760), head + 26 + pitch * len(rows) + _EDGE), _PAPER)
    pen = ImageDraw.Draw(picture)
    _header(picture, pen, crop, explanation)
    for k, (title, _, color) in enumerate(columns):
        pen.text((left + k * (_TILE + _GAP), head), title, fill=color, font=_font(14))
    cells.titles(pen, left + len(columns) * (_TILE + _GAP), head)
    for i, char in enumerate(rows):
        top = head + 26 + i * pitch
        pen.line((_EDGE, top - 6, picture.width - _EDGE, top - 6), fill=_LINE)
        _character(pen, char, top, last=i == len(rows) - 1)
        for k, (_, maps, color) in enumerate(columns):
            if i < len(maps):  # a branch may have written fewer characters
                picture.paste(heat(crop, maps[i], color, tile), (left + k * (_TILE + _GAP), top))
        cells.row(pen, i, left + len(columns) * (_TILE + _GAP), top, tile[1])
    return picture


def _end(reading: Reading) -> Char:
    """The end of the word, whose probability is what the characters leave of the confidence."""
    characters = float(np.prod([c.probability for c in reading.chars]))
    return Char("end", min(reading.confidence / max(characters, 1e-12), 1.0))


def _header(picture: Image.Image, pen: ImageDraw.ImageDraw, crop: _Crop, explanation: Explanation) -> None:
    """The crop, and the reading after every stage; characters that a stage changed are orange."""
    scale = min(110 / crop.shape[0], 330 / crop.shape[1])
    size = max(1, round(crop.shape[1] * scale)), max(1, round(crop.shape[0] * scale))
    picture.paste(Image.fromarray(crop).resize(size, Image.Resampling.LANCZOS), (_EDGE, _EDGE))
    x, before = _EDGE + 330 + 24, ""
    for i, (stage, reading) in enumerate(explanation.stages):
        y = _EDGE + 30 * i
        pen.text((x, y + 4), stage, fill=_GREY, font=_font(14))
        at = float(x + 200)
        text = reading.text
        for j, character in enumerate(text):
            color = ORANGE if i and before[j : j + 1] != character else _INK
            pen.text((at, y), character, fill=color, font=_font(20))
            at += pen.textlength(character, font=_font(20))
        if not text:
            pen.text((at, y + 3), "(nothing)", fill=_GREY, font=_font(16))
            at += pen.textlength("(nothing)", font=_font(16))
        pen.text((at + 12, y + 4), f"{100 * reading.confidence:.0f} %", fill=_GREY, font=_font(14))
        before = text


def _character(pen: ImageDraw.ImageDraw, char: Char, top: int, last: bool) -> None:
    """A character, its probability as number and bar, and what else it could be."""
    pen.text((_EDGE, top + (6 if last else 0)), "end" if last else _visible(char.text), _INK, _font(16 if last else 28))
    x = _EDGE + 46
    pen.text((x, top), f"{100 * char.probability:.1f} %", fill=_INK, font=_font(13))
    pen.rectangle((x + 58, top + 4, x + 130, top + 11), fill=_LINE)
    pen.rectangle((x + 58, top + 4, x + 58 + round(72 * char.probability), top + 11), fill=GREEN)
    likely = [(_visible(text) or "end", round(100 * p)) for text, p in char.alternatives if p >= 0.005]
    for k, (text, percent) in enumerate(likely):
        pen.text((x + 44 * k, top + 20), text, fill=_INK, font=_font(12))
        pen.text((x + 44 * k + pen.textlength(text, _font(12)) + 4, top + 20), f"{percent} %", _GREY, _font(12))


def _visible(text: str) -> str:
    return "space" if text == " " else text


class _Cells:
    """The matrix of characters and caption tokens, at the right of the table; nothing where there is no caption."""

    def __init__(self, explanation: Explanation) -> None:
        self.text = explanation.text
        self.tokens = [_visible(token) for token in explanation.caption]
        self.size = max((round(_font(13).getlength(token)) + 10 for token in self.tokens), default=0)
        self.width = 0 if self.text is None else max(self.size * len(self.tokens) + 60, 190)

    def titles(self, pen: ImageDraw.ImageDraw, x: int, y: int) -> None:
        """The tokens, above their columns."""
        if self.text is None:
            return
        pen.text((x, y - 20), "of which to the caption", fill=ORANGE, font=_font(14))
        for j, token in enumerate(self.tokens):
            pen.text((x + (j + 0.5) * self.size, y), token, fill=_INK, font=_font(13), anchor="ma")

    def row(self, pen: ImageDraw.ImageDraw, i: int, x: int, y: int, high: int) -> None:
        """Row i, one cell per token, and its share of all attention. All rows share one scale."""
        if self.text is None or i >= len(self.text):
            return
        strength = self.text[i] / max(float(self.text.max()), 1e-12)
        for j, share in enumerate(strength):
            color = tuple(round(255 + (c - 255) * float(share)) for c in ORANGE)
            box = (x + j * self.size, y, x + (j + 1) * self.size - 2, y + high - 1)
            pen.rectangle(box, fill=color, outline=_LINE)
        share = 100 * float(self.text[i].sum())
        pen.text((x + len(self.tokens) * self.size + 6, y + high / 2), f"{share:.0f} %", _GREY, _font(13), anchor="lm")
