"""ICDAR 2013, challenge 2: `gt_100.txt` with lines of x1 y1 x2 y2 "text" (train), `gt_img_1.txt` with commas (test)."""

import re
from collections.abc import Iterator

from wordsight.data.importers.unpacked import DataSet, Unpacked, box, lines
from wordsight.data.scenes import Scene

_LINE = re.compile(r'\s*(-?\d+)[,\s]+(-?\d+)[,\s]+(-?\d+)[,\s]+(-?\d+)[,\s]+"(.*)"\s*')


def read(files: Unpacked) -> Iterator[Scene]:
    """Scenes in the numeric order of their files; the numbers of a line are two opposite corners."""
    for path in files.once(files.find(r"gt_(img_)?\d+\.txt")):
        words = []
        for where, line in lines(path, "cp1252"):
            if not (found := _LINE.fullmatch(line)):
                files.skip("line is not understood", where)
                continue
            x1, y1, x2, y2 = map(int, found.groups()[:4])
            text = re.sub(r'\\(["\\])', r"\1", found[5])
            words.append(files.word(where, box(x1, y1, x2 - x1, y2 - y1), text))
        yield from files.scene(path.stem.removeprefix("gt_"), words, split=files.split(path))


DATA_SETS = {
    "ic13": DataSet("ICDAR 2013", "none stated", "rrc.cvc.uab.es/?ch=2", True, read),
}
