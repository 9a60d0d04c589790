"""COCO-Text and TextOCR: one JSON of "imgs" and "anns"; and IntelOCR (OpenVINO), in COCO's own form."""

from collections.abc import Iterable, Iterator
from typing import Any

from wordsight.data.importers.unpacked import DataSet, Unpacked, box, read_json, rotations, unescape
from wordsight.data.scenes import Scene

_SPLITS = {"val": "validation"}


def read_cocotext(files: Unpacked) -> Iterator[Scene]:
    """COCO-Text, versions 1 ("polygon") and 2 ("mask"); texts have HTML entities."""
    for path in files.find(r"coco_?text.*\.json"):
        content = read_json(path)
        marked = _by_image(content["anns"].values())
        for key, image in content["imgs"].items():
            words = []
            for ann in marked.get(str(key), []):
                where = f"{path.name}: annotation {ann.get('id')}"
                corners = _corners(ann.get("mask") or ann.get("polygon"), ann.get("bbox"))
                legible = ann.get("legibility") == "legible"
                words.append(files.word(where, corners, unescape(ann.get("utf8_string")), legible=legible))
            yield from _scene(files, image, words, image.get("set", ""))


def read_textocr(files: Unpacked) -> Iterator[Scene]:
    """TextOCR; "." is illegible or not English. Points start at the top left of the text in its own orientation.

    Some of Open Images' pictures lie on their side. Where a picture does not have the annotated size, its rotation is
    looked up in Open Images' tables (`*rotation*.csv`) if they lie beside the annotations.
    """
    turned = rotations(files)
    for path in files.find(r"TextOCR.*\.json"):
        content = read_json(path)
        marked = _by_image(content["anns"].values())
        for key, image in content["imgs"].items():
            words = []
            for ann in marked.get(str(key), []):
                where = f"{path.name}: annotation {ann.get('id')}"
                corners = _corners(ann.get("points"), ann.get("bbox"))
                words.append(files.word(where, corners, ann.get("utf8_string"), marks=frozenset({"."})))
            yield from _scene(files, image, words, image.get("set", ""), turned.get(str(key), 0))


def read_intelocr(files: Unpacked) -> Iterator[Scene]:
    """The text of Open Images V5 by Intel: text, legibility and language are attributes."""
    turned = rotations(files)
    for path in files.find(r"text_spotting_openimages.*\.json"):
        content = read_json(path)
        marked = _by_image(content["annotations"])
        for image in content["images"]:
            words = []
            for ann in marked.get(str(image["id"]), []):
                outline = ann.get("segmentation")
                if isinstance(outline, list) and len(outline) == 1:
                    outline = outline[0]
                said = ann.get("attributes", {})
                where = f"{path.name}: annotation {ann.get('id')}"
                corners = _corners(outline, ann.get("bbox"))
                words.append(files.word(where, corners, said.get("transcription"), legible=bool(said.get("legible"))))
            key = str(image["file_name"]).rpartition("/")[2].partition(".")[0]
            yield from _scene(files, image, words, files.split(path), turned.get(key, 0))


def _scene(files: Unpacked, image: Any, words: list[Any], split: str, rotation: int = 0) -> Iterator[Scene]:
    size = (int(image["width"]), int(image["height"])) if image.get("width") and image.get("height") else None
    name = image.get("file_name") or image.get("filename") or str(image["id"])
    return files.scene(name, words, split=_SPLITS.get(split, split), size=size, rotation=rotation)


def _by_image(annotations: Iterable[Any]) -> dict[str, list[Any]]:
    """Annotations by the id of their image, as a string: some files have numbers there and strings here."""
    found: dict[str, list[Any]] = {}
    for annotation in annotations:
        found.setdefault(str(annotation["image_id"]), []).append(annotation)
    return found


def _corners(outline: Any, rectangle: Any) -> list[Any]:
    """The polygon; where it has fewer than four corners, the rectangle (x, y, width, height)."""
    if isinstance(outline, list) and len(outline) >= 8:
        return outline
    return box(*rectangle) if isinstance(rectangle, list) and len(rectangle) == 4 else []


DATA_SETS = {
    "cocotext": DataSet(
        "COCO-Text",
        "annotations CC BY 4.0; pictures: Flickr's terms",
        "vision.cornell.edu/se3/coco-text-2",
        False,
        read_cocotext,
    ),
    "textocr": DataSet("TextOCR", "CC BY 4.0", "textvqa.org/textocr", False, read_textocr),
    "intelocr": DataSet(
        "IntelOCR (text of Open Images V5)",
        "Apache-2.0 as listed by Union14M; pictures CC BY",
        "github.com/openvinotoolkit/training_extensions",
        False,
        read_intelocr,
    ),
}
