"""wordsight reads the words in photographs.

    import wordsight

    reader = wordsight.Reader()
    photo = reader.read("photo.jpg")
    print(photo.text)

Importing this package loads neither NumPy nor an inference engine; the names below load what they need on first use.
"""

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wordsight.detect import Detector, FoundBox, TextDetector
    from wordsight.errors import (
        BoxError,
        ConfigError,
        DataError,
        DeviceError,
        ImageError,
        ModelError,
        WordsightError,
    )
    from wordsight.imaging import Page, Pages, Source, load_image, open_pages
    from wordsight.reader import Reader
    from wordsight.reading.parts import Recognizer, SceneConditioned
    from wordsight.reading.scenes import EncodedScene
    from wordsight.results import Char, Line, Photo, Word

__version__ = "0.2.0"

# ONNX Runtime's wheels since 1.29 write into the home folder when they are imported and send what runs to their maker,
# unless this is set before; where the program imported it first, this call keeps at least our sessions to ourselves
# (docs/security.md). Setting the variable to 0 turns this off.
os.environ["ORT_DISABLE_TELEMETRY"] = os.environ.get("ORT_DISABLE_TELEMETRY") or "1"
if os.environ["ORT_DISABLE_TELEMETRY"] != "0" and hasattr(sys.modules.get("onnxruntime"), "disable_telemetry_events"):
    sys.modules["onnxruntime"].disable_telemetry_events()

# Where each name is: imported when it is first asked for.
HOMES = {
    "Reader": "wordsight.reader",
    "EncodedScene": "wordsight.reading.scenes",
    "Photo": "wordsight.results",
    "Line": "wordsight.results",
    "Word": "wordsight.results",
    "Char": "wordsight.results",
    **dict.fromkeys(("Detector", "FoundBox", "TextDetector"), "wordsight.detect"),
    **dict.fromkeys(("Recognizer", "SceneConditioned"), "wordsight.reading.parts"),
    **dict.fromkeys(("Page", "Pages", "Source", "load_image", "open_pages"), "wordsight.imaging"),
    **dict.fromkeys(
        ("BoxError", "ConfigError", "DataError", "DeviceError", "ImageError", "ModelError", "WordsightError"),
        "wordsight.errors",
    ),
}

__all__ = [
    "BoxError",
    "Char",
    "ConfigError",
    "DataError",
    "Detector",
    "DeviceError",
    "EncodedScene",
    "FoundBox",
    "ImageError",
    "Line",
    "ModelError",
    "Page",
    "Pages",
    "Photo",
    "Reader",
    "Recognizer",
    "SceneConditioned",
    "Source",
    "TextDetector",
    "Word",
    "WordsightError",
    "__version__",
    "load_image",
    "open_pages",
]


def __getattr__(name: str) -> Any:
    if name in HOMES:
        return getattr(import_module(HOMES[name]), name)
    raise AttributeError(f"module 'wordsight' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
