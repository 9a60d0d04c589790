"""How many training crops a second a core renders, and how many of them are alike.

    python benchmarks/rendering.py [--count 100000] [--warm 20000] [--lines] [--words LIST] [--backgrounds FOLDER]

One process, one thread. Crops are as training takes them, at most 32 x 128, or lines of up to 48 x 1280. Seconds are
those of the processor (`time.process_time`), which others on the same machine disturb less than the clock. The first
`--warm` crops fill the caches of fonts and backgrounds, which takes a worker minutes once, and do not count. Two crops
are alike where all pixels are.
"""

import argparse
import hashlib
import time
from pathlib import Path

from wordsight.synth.lines import RenderedLines
from wordsight.synth.words import RenderedWords

STEP = 100


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--warm", type=int, default=20_000)
    parser.add_argument("--lines", action="store_true", help="lines instead of words")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--words", type=Path, action="append", default=[])
    parser.add_argument("--backgrounds", type=Path)
    options = parser.parse_args()

    given = {"seed": options.seed, "words": options.words, "backgrounds": options.backgrounds}
    source = RenderedLines(**given) if options.lines else RenderedWords(**given, enlarged=False)
    seconds, counted, seen = 0.0, 0, set()
    total = options.warm + options.count
    for start in range(0, total, STEP):
        began = time.process_time()
        samples = source.many(range(start, min(start + STEP, total)))
        done = time.process_time()
        seen.update(hashlib.blake2b(one.image.tobytes(), digest_size=16).digest() for one in samples)
        if start >= options.warm:
            seconds, counted = seconds + done - began, counted + len(samples)
    print(f"{counted} crops: {counted / seconds:.0f}/s; {total - len(seen)} of {total} are copies of another")


if __name__ == "__main__":
    main()
