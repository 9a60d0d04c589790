"""All errors that the library raises on purpose. Each message is one line: what is wrong, and the cure."""

import shlex
import sys


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


def no_pack_yet(folder: object) -> str:
    """Of a folder with weights: the command that makes a pack of it, or first a checkpoint if they are somebody else's.

    Checkpoints of ours say their format in config.json.
    """
    import json
    from pathlib import Path

    config = Path(str(folder)) / "config.json"
    try:
        ours = config.is_file() and "format" in json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, RecursionError):
        ours = False
    if ours:
        return f"{folder} is a checkpoint, not a pack: run `wordsight models export {folder} --out DIR` first"
    return f"{folder} has weights, but is no pack of wordsight: run `wordsight models convert {folder} --out DIR` first"


def pip_install(extra: str) -> str:
    """The command that adds an extra of this package, from wherever the package itself was installed."""
    import json
    import shutil
    from importlib.metadata import PackageNotFoundError, distribution
    from pathlib import Path
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    found = shutil.which("pip")
    here = found is not None and Path(found).parent == Path(sys.executable).parent
    pip = "pip install" if here else f"{shlex.quote(sys.executable)} -m pip install"
    try:
        origin = json.loads(distribution("wordsight").read_text("direct_url.json") or "{}")
    except PackageNotFoundError:  # it runs from its source, without being installed
        origin = {}
    url = urlsplit(origin.get("url", ""))
    if url.scheme != "file":
        return f"{pip} 'wordsight[{extra}]{f' @ {url.geturl()}' if url.scheme else ''}'"
    path = url2pathname(url.path)
    if not Path(path).exists():
        return f"{pip} '.[{extra}]' in a clone of wordsight"
    editable = "-e " if origin.get("dir_info", {}).get("editable") else ""
    return f"{pip} {editable}{shlex.quote(f'{path}[{extra}]')}"
