"""ArT and LSVT (`train_labels.json`, `train_full_labels.json`), and ReCTS (a JSON for each picture)."""

from collections.abc import Iterator

from wordsight.data.importers.unpacked import DataSet, Unpacked, read_json
from wordsight.data.scenes import Scene

_SCRIPTS = {"Latin": "Latn", "Chinese": "Hani"}


def read_art(files: Unpacked) -> Iterator[Scene]:
    """ArT. Its training pictures include those of Total-Text, test pictures too, and of CTW1500."""
    return _read(files, r"train_labels\.json")


def read_lsvt(files: Unpacked) -> Iterator[Scene]:
    """The fully annotated part of LSVT, labelled by lines of text."""
    return _read(files, r"train_full_labels\.json")


def _read(files: Unpacked, pattern: str) -> Iterator[Scene]:
    for path in files.find(pattern):
        for name, marked in read_json(path).items():
            words = []
            for number, item in enumerate(marked):
                corners = [value for point in item.get("points", []) for value in point]
                words.append(
                    files.word(
                        f"{path.name}: {name}: {number}",
                        corners,
                        item.get("transcription"),
                        legible=not item.get("illegibility"),
                        script=_SCRIPTS.get(item.get("language", "")),
                    )
                )
            yield from files.scene(name, words, split="train")


def read_rects(files: Unpacked) -> Iterator[Scene]:
    """ReCTS by its lines of text (it has single characters, too)."""
    for path in files.find(r"train_ReCTS_\d+\.json"):
        words = []
        for number, item in enumerate(read_json(path)["lines"]):
            where = f"{path.name}: line {number}"
            words.append(files.word(where, item["points"], item["transcription"], legible=not item["ignore"]))
        yield from files.scene(path.stem, words, split="train")


DATA_SETS = {
    "art": DataSet("ArT", "non-commercial", "rrc.cvc.uab.es/?ch=14", False, read_art),
    "lsvt": DataSet("LSVT", "non-commercial", "rrc.cvc.uab.es/?ch=16", False, read_lsvt),
    "rects": DataSet("ReCTS", "not known", "rrc.cvc.uab.es/?ch=12", False, read_rects),
}
