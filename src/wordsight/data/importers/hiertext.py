"""HierText: paragraphs of lines of words, in one JSON (though its name ends in .jsonl, and mostly .gz)."""

from collections.abc import Iterator

from wordsight.data.importers.unpacked import DataSet, Unpacked, read_json
from wordsight.data.scenes import Scene


def read(files: Unpacked) -> Iterator[Scene]:
    """The words of all lines."""
    for path in files.find(r"(train|validation|val)\.jsonl(\.gz)?"):
        split = files.split(path)
        for image in read_json(path)["annotations"]:
            name, words = str(image["image_id"]), []
            for paragraph in image["paragraphs"]:
                for line in paragraph["lines"]:
                    for word in line["words"]:
                        corners = [value for point in word["vertices"] for value in point]
                        where = f"{path.name}: {name}: {word.get('text')!r}"
                        words.append(files.word(where, corners, word.get("text"), legible=bool(word.get("legible"))))
            size = (int(image["image_width"]), int(image["image_height"]))
            yield from files.scene(name, words, split=split, size=size)


DATA_SETS = {
    "hiertext": DataSet("HierText", "CC BY-SA 4.0", "github.com/google-research-datasets/hiertext", False, read),
}
