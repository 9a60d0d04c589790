"""What speaks for a text, as a picture."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from wordsight.explain.drawing import ORANGE, heat

_INK, _GREY, _PAPER = (25, 25, 28), (120, 120, 126), (255, 255, 255)
_EDGE = 24  # pixels around everything


def draw_relevance(
    picture: npt.NDArray[np.uint8], texts: Sequence[tuple[str, float]], maps: npt.NDArray[np.floating]
) -> Image.Image:
    """What `wordsight-research zeroshot` draws: the input, and below each other what speaks for every text.

    Args:
        picture: uint8 RGB (h, w, 3), as CLIP saw it.
        texts: each with its probability.
        maps: (N, rows, columns) from `zeroshot.relevance`; the largest value of each has the full colour.
    """
    wide = 360
    tile = wide, int(np.clip(wide * picture.shape[0] / picture.shape[1], 60, 480))
    pitch = tile[1] + 40
    out = Image.new("RGB", (2 * _EDGE + wide, 2 * _EDGE + tile[1] + pitch * len(texts)), _PAPER)
    pen = ImageDraw.Draw(out)
    out.paste(Image.fromarray(picture).resize(tile, Image.Resampling.LANCZOS), (_EDGE, _EDGE))
    for i, (text, probability) in enumerate(texts):
        top = _EDGE + tile[1] + 12 + i * pitch
        pen.text((_EDGE, top), text, fill=_INK, font=ImageFont.load_default(17))
        pen.text(
            (_EDGE + wide, top + 2),
            f"{100 * probability:.1f} %",
            fill=_GREY,
            font=ImageFont.load_default(15),
            anchor="ra",
        )
        out.paste(heat(picture, maps[i], ORANGE, tile), (_EDGE, top + 26))
    return out
