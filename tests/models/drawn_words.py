"""A few words drawn in Pillow's own face, as recognizers take them."""

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from wordsight.imaging import Preprocessing, prepare


def drawn(words: list[str], preprocessing: Preprocessing) -> torch.Tensor:
    """(N, 3, H, W)."""
    pictures = []
    for word in words:
        picture = Image.new("RGB", (96, 32), "white")
        ImageDraw.Draw(picture).text((4, 2), word, fill="black", font=ImageFont.load_default(24))
        pictures.append(np.asarray(picture))
    return torch.from_numpy(prepare(pictures, preprocessing))
