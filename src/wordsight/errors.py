"""All errors that the library raises on purpose. Each message is one line: what is wrong, and the cure."""


class WordsightError(Exception):
    """Base class of all errors of this library. The message is one line that can be shown to users.

    File names and file contents may hold anything: control characters are escaped.
    """

    def __str__(self) -> str:
        return printable(super().__str__())


class ImageError(WordsightError):
    """An image that cannot be read: not an image, truncated, empty, too large."""


class BoxError(WordsightError):
    """A box or polygon that encloses nothing readable, or a malformed file of boxes."""


class ModelError(WordsightError):
    """A model pack, checkpoint or model name that cannot be used."""


class DeviceError(WordsightError):
    """A requested device that is not available."""


class DataError(WordsightError):
    """A data set, label file or archive that cannot be read."""


class ConfigError(WordsightError):
    """A setting that contradicts another or is out of range."""


class WorkerError(WordsightError):
    """A worker process that died or did not start."""


def printable(text: str) -> str:
    """The text as one printable line, with control characters and the like as Python escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
