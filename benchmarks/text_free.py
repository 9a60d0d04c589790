"""How often a model reads nothing where there is nothing: patches of labelled photographs that no word comes near to.

    python benchmarks/text_free.py SCENES [--model latin] [--per-scene 4] [--show 20]

SCENES is a data set in which every word is marked, illegible ones included (of those here ICDAR 2015, not SVT). The
patches are 64 to 200 px high and 1 to 4 times as wide, stretched like any crop.
"""

import argparse
import random
from collections import Counter
from pathlib import Path

from wordsight.cli.recognizers import OurReader
from wordsight.data import read_scenes
from wordsight.synth.export import free_boxes


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("--model", default="latin")
    parser.add_argument("--per-scene", type=int, default=4)
    parser.add_argument("--show", type=int, default=20, help="how many of the strings that were read to print")
    options = parser.parse_args()

    reader = OurReader(options.model, None)
    texts = []
    for number, scene in enumerate(read_scenes(options.scenes)):
        image = scene.load()
        boxes = free_boxes(random.Random(number), scene, image.shape[1], image.shape[0], options.per_scene)
        texts += [text for text, _ in reader.read([image[y0:y1, x0:x1] for x0, y0, x1, y1 in boxes])]
    empty = sum(not text for text in texts)
    print(f"{empty} of {len(texts)} text-free patches read as empty: {100 * empty / len(texts):.1f} %")
    for text, count in Counter(text for text in texts if text).most_common(options.show):
        print(f"{count:>5}  {text!r}")


if __name__ == "__main__":
    main()
