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
    """A crop, reduced for a page with many of them, and what was read on it."""
    import io

    from PIL import Image

    from wordsight.evaluate.report import Exhibit

    picture = Image.fromarray(crop)
    picture.thumbnail((512, 128))
    png = io.BytesIO()
    picture.save(png, "PNG")
    return Exhibit(record, png.getvalue(), other)


def check_place(path: Path) -> None:
    """Checks, before the work and not after, that a picture can be written there.

    Raises:
        ConfigError: the folder is missing, or Pillow writes no format with that extension.
    """
    from PIL import Image

    if not path.resolve().parent.is_dir():
        raise ConfigError(f"{path}: there is no folder {path.parent}: create it first")
    if Image.registered_extensions().get(path.suffix.lower()) not in Image.SAVE:
        raise ConfigError(f"{path}: {path.suffix or 'no ending'} is not an image format: choose .png or .jpg")


def save_picture(picture: "Image.Image", path: Path) -> None:
    """Writes a picture in the format of the extension.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        with replacing(path) as new:
            picture.save(new)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be written ({error}): choose another place") from None
