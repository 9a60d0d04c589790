"""Every error the library raises on purpose: one tree, one line each, naming the thing and the cure."""


class WordsightError(Exception):
    """Base of all errors of this library. Its message is one line, fit to be shown to a user."""


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
