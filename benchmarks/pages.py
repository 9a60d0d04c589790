"""How well whole pages are read: rendered pages and receipts of small print, in faces that training did not see.

    python benchmarks/pages.py [--count 60] [--seed 11] [--model latin] [--detectors lines,ppocr] [--rapidocr]

Words that are found belong to the line of the page in whose outline their centre lies. Printed are the character error
rate (edits between these and what the lines say, by characters of the lines; what lies in no line counts as added) and
the share of the pages' words that are read exactly.
"""

import argparse
import random
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from wordsight import Reader
from wordsight.synth.strewn import Strewn

HEIGHT, WIDTH = 900, 700  # pixels
Found = Sequence[tuple[str, NDArray[np.float64]]]
"""Texts with their polygons (N, 2)."""


def edits(lines: Found, found: Found) -> int:
    """Insertions, deletions and substitutions of characters that make what was found the page's lines."""
    outlines = [shapely.Polygon(polygon).convex_hull for _, polygon in lines]
    inside: list[list[tuple[float, str]]] = [[] for _ in lines]
    added = 0
    for text, polygon in found:
        centre = shapely.Point(*polygon.mean(axis=0))
        at = next((i for i, outline in enumerate(outlines) if outline.contains(centre)), None)
        if at is None:
            added += len(text)
        else:
            inside[at].append((centre.x, text))
    said = [" ".join(text for _, text in sorted(words)) for words in inside]
    return added + sum(Levenshtein.distance(one, line) for one, (line, _) in zip(said, lines, strict=True))


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--model", default="latin")
    parser.add_argument("--detectors", default="lines", help="separated by commas")
    parser.add_argument("--rapidocr", action="store_true", help="read by RapidOCR, too")
    options = parser.parse_args()
    engines: dict[str, Callable[[NDArray[np.uint8]], Found]] = {}
    for name in options.detectors.split(","):
        reader = Reader(options.model, detector=name)
        engines[name] = lambda page, reader=reader: [(w.text, np.array(w.polygon)) for w in reader.read(page).words]
    if options.rapidocr:
        from rapidocr import RapidOCR

        engine = RapidOCR()

        def read(page: NDArray[np.uint8]) -> Found:
            out = engine(page[:, :, ::-1])
            return [] if out.txts is None else list(zip(out.txts, np.asarray(out.boxes), strict=True))

        engines["RapidOCR"] = read
    strewn = Strewn(held_out=True)
    wrong, right, characters, words = Counter[str](), Counter[str](), 0, 0
    for i in range(options.count):
        page, texts = strewn.page(random.Random(f"{options.seed}/{i}"), HEIGHT, WIDTH)
        lines = [(" ".join(word for word, _ in text.words), np.asarray(text.polygon)) for text in texts]
        there = Counter(word for line, _ in lines for word in line.split())
        characters, words = characters + sum(len(line) for line, _ in lines), words + there.total()
        for name, run in engines.items():
            found = run(page)
            wrong[name] += edits(lines, found)
            right[name] += (Counter(word for text, _ in found for word in text.split()) & there).total()
    for name in engines:
        rate, share = 100 * wrong[name] / characters, 100 * right[name] / words
        print(f"{name}: character error rate {rate:.2f} %, {share:.1f} % of {words:,} words, {options.count} pages")


if __name__ == "__main__":
    main()
