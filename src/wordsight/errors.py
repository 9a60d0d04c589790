"""Every error the library raises on purpose: one tree, one line each, naming the thing and the cure."""


class WordsightError(Exception):
    """Base of all errors of this library. Its message is one line, fit to be shown to a user.

    Names of files and what stands in them may hold anything: what a terminal would obey is written out.
    """

    def __str__(self) -> str:
        return printable(super().__str__())


class ImageError(WordsightError):
    """An image that cannot be read: not an image, truncated, empty, too large."""


class BoxError(WordsightError):
    """A box or polygon that encloses nothing readable, or a file of boxes that cannot be understood."""


class ModelError(WordsightError):
    """A model pack, checkpoint or model name that cannot be used."""


class DeviceError(WordsightError):
    """An execution provider that was asked for and is not available."""


class DataError(WordsightError):
    """A data set, label file or archive that cannot be read."""


class ConfigError(WordsightError):
    """A setting that contradicts another or is out of range."""


class WorkerError(WordsightError):
    """A process that works for this one and ended too early, or did not start."""


def printable(text: str) -> str:
    """The text in one line that can be shown anywhere, with control characters and the like as Python escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
