"""How much bent text is found and read: texts along arcs of 25 to 190 degrees, a third of them as on bottles and balls.

    python benchmarks/curved.py PHOTOS [--count 80] [--large] [--model latin] [--detector lines] [--rapidocr]
                                       [--sheet FILE]

PHOTOS is a folder of pictures without text (`wordsight synth backgrounds` cuts such), on which texts are set in faces
that training did not see, letters 20 pixels high or more. With `--large` they are straight instead, in letters of 120
to 400 pixels on pictures of 1280 x 960. Right is a text of which all words are read and nothing else, case and signs
aside.
"""

import argparse
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wordsight import Reader
from wordsight.evaluate.protocol import PROTOCOLS
from wordsight.imaging import load_image
from wordsight.synth.strewn import Strewn

LARGE = (120.0, 400.0)  # pixels
PROTOCOL = PROTOCOLS["36"]


def pictures(photos: Path, count: int, seed: int, large: bool) -> Iterator[tuple[NDArray[np.uint8], list[str]]]:
    """Pictures with a text each, and its words."""
    strewn = Strewn(held_out=True, bent=0.0, capitals=LARGE) if large else Strewn(held_out=True, bent=1.0)
    size, least = ((1280, 960), LARGE[0]) if large else ((640, 640), 24)
    files = sorted(path for path in photos.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    for i in range(count):
        rng = random.Random(f"{seed}/{i}")
        while True:
            ground = Image.fromarray(load_image(rng.choice(files))).resize(size, Image.Resampling.BICUBIC)
            picture, texts = strewn.over(rng, np.asarray(ground), [], most=1)
            formed = texts and (len(texts[0].polygon) == 4) == large
            if formed and np.linalg.norm(texts[0].polygon[0] - texts[0].polygon[-1]) >= least:
                yield picture, [word for word, _ in texts[0].words]
                break


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--count", type=int, default=80)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--large", action="store_true", help="straight text in large letters instead")
    parser.add_argument("--model", default="latin")
    parser.add_argument("--detector", default="lines")
    parser.add_argument("--rapidocr", action="store_true", help="read by RapidOCR, too")
    parser.add_argument("--sheet", type=Path, help="where to write the first 24 pictures, 6 by 4")
    options = parser.parse_args()
    reader = Reader(options.model, detector=options.detector)
    readers = {"wordsight": lambda picture: [word.text for word in reader.read(picture).words]}
    if options.rapidocr:
        from rapidocr import RapidOCR

        engine = RapidOCR()
        readers["RapidOCR"] = lambda picture: list(engine(picture[:, :, ::-1]).txts or ())
    found: dict[str, list[bool]] = {name: [] for name in readers}
    shown = []
    for picture, words in pictures(options.photos, options.count, options.seed, options.large):
        shown.append(picture)
        wanted = PROTOCOL.label("".join(words))
        for name, read in readers.items():
            found[name].append(PROTOCOL.label("".join(read(picture))) == wanted)  # accents aside, too
    for name, right in found.items():
        print(f"{name}: {sum(right)} of {len(right)} texts right ({100 * np.mean(right):.1f} %)")
    if options.sheet:
        shown = [np.asarray(Image.fromarray(picture).resize((320, 320))) for picture in shown]
        rows = [np.hstack(shown[i : i + 6]) for i in range(0, min(24, len(shown)) // 6 * 6, 6)]
        Image.fromarray(np.vstack(rows)).save(options.sheet)


if __name__ == "__main__":
    main()
