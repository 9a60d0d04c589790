"""Writing pictures that a command has drawn."""

from pathlib import Path
from typing import TYPE_CHECKING

from wordsight.errors import ConfigError
from wordsight.files import replacing

if TYPE_CHECKING:
    from PIL import Image

    from wordsight.cli.recognizers import Crop
    from wordsight.evaluate import Record
    from wordsight.evaluate.report import Exhibit


def exhibit(crop: "Crop", record: "Record", other: "Record | None" = None) -> "Exhibit":
    """A crop, small enough for a page of many, with what was read on it."""
    import io

    from PIL import Image

    from wordsight.evaluate.report import Exhibit

    picture = Image.fromarray(crop)
    picture.thumbnail((512, 128))
    png = io.BytesIO()
    picture.save(png, "PNG")
    return Exhibit(record, png.getvalue(), other)


def check_place(path: Path) -> None:
    """Before work of seconds, not after: whether a picture can be written there.

    Raises:
        ConfigError: the folder is missing, or the ending says no format that Pillow writes.
    """
    from PIL import Image

    if not path.resolve().parent.is_dir():
        raise ConfigError(f"{path}: there is no folder {path.parent}: create it first")
    if Image.registered_extensions().get(path.suffix.lower()) not in Image.SAVE:
        raise ConfigError(f"{path}: {path.suffix or 'no ending'} is not an image format: choose .png or .jpg")


def save_picture(picture: "Image.Image", path: Path) -> None:
    """Write it in the format that the ending says.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        with replacing(path) as new:
            picture.save(new)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be written ({error}): choose another place") from None
