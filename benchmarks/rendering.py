"""How many training crops a second a core renders, where the time goes, and how many of them are alike.

    python benchmarks/rendering.py [--count 100000] [--warm 20000] [--device cuda] [--words LIST] [--backgrounds FOLDER]

One process, one thread. Crops are finished ones, 3 x 32 x 128, as the trainer wants them. Seconds are those of the
processor (`time.process_time`), which others on the same machine disturb less than the clock; on a GPU the clock's.
The first `--warm` crops fill the caches of fonts and backgrounds, which takes a worker minutes once, and do not count.
Two crops are alike where all pixels are.
"""

import argparse
import hashlib
import time
from pathlib import Path

import torch

from wordsight.synth.rasterize import images
from wordsight.synth.words import CHUNK, RenderedWords


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--warm", type=int, default=20_000)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=CHUNK, help="how many are finished together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--words", type=Path, action="append", default=[])
    parser.add_argument("--backgrounds", type=Path)
    options = parser.parse_args()

    torch.set_num_threads(1)
    source = RenderedWords(seed=options.seed, words=options.words, backgrounds=options.backgrounds)
    clock = time.process_time if options.device == "cpu" else time.perf_counter
    drawing = finishing = 0.0
    seen: set[bytes] = set()
    total, counted = options.warm + options.count, 0
    for start in range(0, total, options.batch):
        began = clock()
        drafts = source.drafts(range(start, min(start + options.batch, total)))
        drawn = clock()
        pixels = images(drafts.to(options.device), source.size).to(torch.uint8)
        if options.device != "cpu":
            torch.cuda.synchronize()
        done = clock()
        seen.update(hashlib.blake2b(one.tobytes(), digest_size=16).digest() for one in pixels.cpu().numpy())
        if start >= options.warm:
            drawing, finishing = drawing + drawn - began, finishing + done - drawn
            counted += len(drafts)
        if start // options.batch % 500 == 499 and counted:
            _report(counted, drawing, finishing, len(seen), start + len(drafts))
    _report(counted, drawing, finishing, len(seen), total)


def _report(counted: int, drawing: float, finishing: float, different: int, total: int) -> None:
    print(
        f"{counted} crops: {counted / (drawing + finishing):.0f}/s; drafts {1e6 * drawing / counted:.0f} us, pictures "
        f"{1e6 * finishing / counted:.0f} us a crop; {total - different} of {total} are copies of another",
        flush=True,
    )


if __name__ == "__main__":
    main()
