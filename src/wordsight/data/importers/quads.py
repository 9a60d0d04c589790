"""Text files of quadrilaterals with a field before the text: RCTW-17 (a difficulty) and MLT 2019 (a language)."""

from collections.abc import Iterator

from wordsight.data.importers.unpacked import DataSet, Unpacked, lines
from wordsight.data.scenes import Scene

# Of MLT 2019; Symbols, Mixed and None tell no script.
_SCRIPTS = {
    "Latin": "Latn", "Arabic": "Arab", "Bangla": "Beng", "Hindi": "Deva", "Chinese": "Hani", "Japanese": "Jpan",
    "Korean": "Kore", "Symbols": "", "Mixed": "", "None": "",
}  # fmt: skip


def read_rctw17(files: Unpacked) -> Iterator[Scene]:
    """RCTW-17: `image_0.txt` of x1,y1,...,x4,y4,difficult,"text", labelled by lines of text.

    Difficult ones do not count, as in its protocol.
    """
    for path in files.find(r"image_\d+\.txt"):
        words = []
        for where, line in lines(path, "gb18030"):
            *corners, difficult, text = [*line.split(",", 9), "", ""][:10]
            text = text.strip()
            if len(text) > 1 and text[0] == text[-1] == '"':
                text = text[1:-1]
            words.append(files.word(where, corners, text, legible=difficult.strip() == "0"))
        yield from files.scene(path.stem, words, split=files.split(path) or "train")


def read_mlt19(files: Unpacked) -> Iterator[Scene]:
    """MLT 2019, training part: `tr_img_00001.txt` of x1,y1,...,x4,y4,language,text."""
    for path in files.find(r"tr_img_\d+\.txt"):
        words = []
        for where, line in lines(path):
            *corners, language, text = [*line.split(",", 9), "", ""][:10]
            words.append(files.word(where, corners, text, script=_SCRIPTS.get(language.strip())))
        yield from files.scene(path.stem, words, split="train")


DATA_SETS = {
    "rctw17": DataSet(
        "RCTW-17", "stated by its authors in e-mails only", "rrc.cvc.uab.es and rctw.vlrlab.net", False, read_rctw17
    ),
    "mlt19": DataSet(
        "MLT 2019", "sources disagree: CC BY 4.0 or CC BY-NC 4.0", "rrc.cvc.uab.es/?ch=15", False, read_mlt19
    ),
}
