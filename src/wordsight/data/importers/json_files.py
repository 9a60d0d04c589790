"""Data sets annotated in JSON: COCO-Text, TextOCR, IntelOCR, HierText, ArT, LSVT and ReCTS."""

import html
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from wordsight.data.importers.unpacked import DataSet, Unpacked, box, read_json, rotations
from wordsight.data.scenes import Scene

_SPLITS = {"val": "validation"}
_SCRIPTS = {"Latin": "Latn", "Chinese": "Hani"}


def read_cocotext(files: Unpacked) -> Iterator[Scene]:
    """COCO-Text, versions 1 ("polygon") and 2 ("mask"); texts have HTML entities."""

    def word(ann: Any) -> dict[str, Any]:
        corners = _corners(ann.get("mask") or ann.get("polygon"), ann.get("bbox"))
        text = html.unescape(ann.get("utf8_string") or "")
        return {"points": corners, "text": text, "legible": ann.get("legibility") == "legible"}

    return _read_coco(files, r"coco_?text.*\.json", word)


def read_textocr(files: Unpacked) -> Iterator[Scene]:
    """TextOCR; "." is illegible or not English. Points start at the top left of the text in its own orientation.

    Some pictures of Open Images lie on their side. If a picture does not have the annotated size, its rotation is taken
    from Open Images' tables (`*rotation*.csv`), if they lie beside the annotations.
    """

    def word(ann: Any) -> dict[str, Any]:
        corners = _corners(ann.get("points"), ann.get("bbox"))
        return {"points": corners, "text": ann.get("utf8_string"), "marks": frozenset({"."})}

    return _read_coco(files, r"TextOCR.*\.json", word, rotations(files))


def read_intelocr(files: Unpacked) -> Iterator[Scene]:
    """The text of Open Images V5 by Intel, in COCO's own form: text, legibility and language are attributes."""

    def word(ann: Any) -> dict[str, Any]:
        outline, said = ann.get("segmentation"), ann.get("attributes", {})
        if isinstance(outline, list) and len(outline) == 1:
            outline = outline[0]
        corners = _corners(outline, ann.get("bbox"))
        return {"points": corners, "text": said.get("transcription"), "legible": bool(said.get("legible"))}

    return _read_coco(files, r"text_spotting_openimages.*\.json", word, rotations(files))


def _read_coco(
    files: Unpacked, pattern: str, word: Callable[[Any], dict[str, Any]], turned: Mapping[str, int] = {}
) -> Iterator[Scene]:
    """Scenes of files that list images and annotations, as "imgs" and "anns" by id or as COCO's own two lists.

    `word` gives the arguments of `Unpacked.word` for an annotation; `turned` are Open Images' rotations.
    """
    for path in files.find(pattern):
        content = read_json(path)
        by_id = "imgs" in content
        marked: dict[str, list[Any]] = {}  # by image id as a string: some files have numbers here and strings there
        for ann in content["anns"].values() if by_id else content["annotations"]:
            marked.setdefault(str(ann["image_id"]), []).append(ann)
        images: Iterable[tuple[Any, Any]] = (
            content["imgs"].items() if by_id else ((image["id"], image) for image in content["images"])
        )
        for key, image in images:
            anns = marked.get(str(key), [])
            words = [files.word(f"{path.name}: annotation {ann.get('id')}", **word(ann)) for ann in anns]
            name = str(image.get("file_name") or image.get("filename") or image["id"])
            split = image.get("set", "") if by_id else files.split(path)
            size = (int(image["width"]), int(image["height"])) if image.get("width") and image.get("height") else None
            rotation = turned.get(name.rpartition("/")[2].partition(".")[0], 0)
            yield from files.scene(name, words, split=_SPLITS.get(split, split), size=size, rotation=rotation)


def _corners(outline: Any, rectangle: Any) -> list[Any]:
    """The polygon; if it has fewer than four corners, the rectangle (x, y, width, height)."""
    if isinstance(outline, list) and len(outline) >= 8:
        return outline
    return box(*rectangle) if isinstance(rectangle, list) and len(rectangle) == 4 else []


def read_hiertext(files: Unpacked) -> Iterator[Scene]:
    """HierText: paragraphs of lines of words, in one JSON (though its name ends in .jsonl, and mostly .gz)."""
    for path in files.find(r"(train|validation|val)\.jsonl(\.gz)?"):
        split = files.split(path)
        for image in read_json(path)["annotations"]:
            name, words = str(image["image_id"]), []
            for word in (w for paragraph in image["paragraphs"] for line in paragraph["lines"] for w in line["words"]):
                where = f"{path.name}: {name}: {word.get('text')!r}"
                legible = bool(word.get("legible"))
                words.append(files.word(where, _flat(word["vertices"]), word.get("text"), legible=legible))
            size = (int(image["image_width"]), int(image["image_height"]))
            yield from files.scene(name, words, split=split, size=size)


def _flat(points: Any) -> list[Any]:
    return [value for point in points for value in point]


def read_baidu(files: Unpacked, pattern: str) -> Iterator[Scene]:
    """ArT, whose pictures include those of Total-Text, test pictures too, and of CTW1500; or LSVT's fully annotated
    part, labelled by text line.
    """
    for path in files.find(pattern):
        for name, marked in read_json(path).items():
            words = [
                files.word(
                    f"{path.name}: {name}: {number}",
                    _flat(item.get("points", [])),
                    item.get("transcription"),
                    legible=not item.get("illegibility"),
                    script=_SCRIPTS.get(item.get("language", "")),
                )
                for number, item in enumerate(marked)
            ]
            yield from files.scene(name, words, split="train")


def read_rects(files: Unpacked) -> Iterator[Scene]:
    """ReCTS, its text lines (it has single characters, too): a JSON for each picture."""
    for path in files.find(r"train_ReCTS_\d+\.json"):
        words = []
        for number, item in enumerate(read_json(path)["lines"]):
            where = f"{path.name}: line {number}"
            words.append(files.word(where, item["points"], item["transcription"], legible=not item["ignore"]))
        yield from files.scene(path.stem, words, split="train")


DATA_SETS = {
    "cocotext": DataSet("COCO-Text", "annotations CC BY 4.0; pictures: Flickr's terms",
                        "vision.cornell.edu/se3/coco-text-2", False, read_cocotext),
    "textocr": DataSet("TextOCR", "CC BY 4.0", "textvqa.org/textocr", False, read_textocr),
    "intelocr": DataSet("IntelOCR (text of Open Images V5)", "Apache-2.0 as listed by Union14M; pictures CC BY",
                        "github.com/openvinotoolkit/training_extensions", False, read_intelocr),
    "hiertext": DataSet("HierText", "CC BY-SA 4.0", "github.com/google-research-datasets/hiertext", False,
                        read_hiertext),
    "art": DataSet("ArT", "non-commercial", "rrc.cvc.uab.es/?ch=14", False,
                   partial(read_baidu, pattern=r"train_labels\.json")),
    "lsvt": DataSet("LSVT", "non-commercial", "rrc.cvc.uab.es/?ch=16", False,
                    partial(read_baidu, pattern=r"train_full_labels\.json")),
    "rects": DataSet("ReCTS", "not known", "rrc.cvc.uab.es/?ch=12", False, read_rects),
}  # fmt: skip
