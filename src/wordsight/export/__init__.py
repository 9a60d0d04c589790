"""How results are written and drawn: one module for each file format (docs/results.md), and `drawing` for pictures.

A new format is a module here with a `FORMAT`, and a line in `FORMATS`. Results know this package only inside the
methods that write or draw them; everything here imports results.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from wordsight.errors import ConfigError

if TYPE_CHECKING:
    from wordsight.export.format import Format
    from wordsight.imaging import Source
    from wordsight.results import Photo

FORMATS = {
    "text": ".txt",
    "json": ".json",
    "jsonl": ".jsonl",
    "csv": ".csv",
    "tsv": ".tsv",
    "hocr": ".hocr",
    "alto": ".alto.xml",
    "page": ".page.xml",
    "markdown": ".md",
    "html": ".html",
}
"""Names of the formats, which are those of their modules, and how their files end."""

_ALSO = {".htm": "html", ".markdown": "markdown", ".ndjson": "jsonl"}


def find_format(name: str) -> "Format":
    """The format of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in FORMATS:
        raise ConfigError(f"there is no format {name!r}: choose one of {', '.join(FORMATS)}")
    found: Format = import_module(f"{__name__}.{name}").FORMAT
    return found


def format_of(path: Path) -> str | None:
    """The name of the format that a file's ending says; None where it says none.

    Raises:
        ConfigError: it says XML, of which there are two.
    """
    named = path.name.lower()
    name = next((name for name, ending in FORMATS.items() if named.endswith(ending)), _ALSO.get(path.suffix.lower()))
    if named.endswith(".xml") and name is None:
        raise ConfigError(f"{path}: there are two XML formats: name it {path.stem}.alto.xml or {path.stem}.page.xml")
    return name


def save(photo: "Photo", path: str | Path, image: "Source | None" = None) -> None:
    """Writes a photo in the format that the ending of `path` says, or draws it where that is a picture's ending.

    Args:
        photo: what was read.
        path: the file, which is replaced if it is there.
        image: the picture that was read, for drawings and HTML. None: the file that `photo.source` names.

    Raises:
        ConfigError: the ending says no format, or the file cannot be written.
        ImageError: the picture cannot be read.
    """
    from PIL import Image

    from wordsight.export.drawing import draw

    path = Path(path)
    name = format_of(path)
    try:
        if name is not None:
            text = find_format(name).document([photo], image)
            path.write_text(text, encoding="utf-8", errors="replace", newline="")
        elif Image.registered_extensions().get(path.suffix.lower()) in Image.SAVE:
            draw(photo, image).save(path)
        else:
            endings = ", ".join(FORMATS.values())
            raise ConfigError(f"{path}: no format ends in {path.suffix or 'nothing'}: choose {endings}, .png or .jpg")
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be written ({error}): choose another place") from None
