"""ICDAR 2015, challenge 4: `gt_img_1.txt` beside `img_1.jpg`, lines of x1,y1,...,x4,y4,text; ### is illegible."""

from collections import Counter
from collections.abc import Iterator

from wordsight.data.importers.unpacked import DataSet, Unpacked, lines
from wordsight.data.scenes import Scene


def read(files: Unpacked) -> Iterator[Scene]:
    """Scenes in the numeric order of their files.

    Legible words are named word_1, word_2, ... in that order, split by split: the names of the organisers' crops.
    """
    count: Counter[str] = Counter()
    for path in files.once(files.find(r"gt_img_\d+\.txt")):
        split, words = files.split(path), []
        for where, line in lines(path):
            *corners, text = line.split(",", 8)  # the text may have commas, too
            if len(corners) < 8:
                files.skip("line is not understood", where)
                continue
            legible = text.strip() not in ("", "###")
            count[split] += legible
            words.append(files.word(where, corners, text, id=f"word_{count[split]}" if legible else ""))
        yield from files.scene(path.stem.removeprefix("gt_"), words, split=split)


DATA_SETS = {
    "ic15": DataSet("ICDAR 2015", "CC BY 4.0", "rrc.cvc.uab.es/?ch=4", True, read),
}
