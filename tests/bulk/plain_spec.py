"""A spec whose reader takes no model: it reads the bytes of a "picture" as text. Some of them are deadly or broken."""

import os
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path

from wordsight import Photo
from wordsight.bulk import ReaderSpec
from wordsight.errors import ImageError, ModelError
from wordsight.results import Line, Word
from wordsight.runtime import shipped_models

SQUARE = ((0.0, 0.0), (9.126, 0.0), (9.126, 9.0), (0.0, 9.0))


class PlainReader:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def read(self, picture: bytes, *, name: str) -> Photo:
        time.sleep(self._seconds)
        text = picture.decode("utf-8")  # a UnicodeDecodeError for what is none, as a decoder might raise it
        if text == "broken":
            raise ImageError(f"{name} is broken: save it again")
        if text == "no model":  # that is found out when the first picture comes
            raise ModelError("no detector is there: get one")
        if text == "deadly":
            os.kill(os.getpid(), signal.SIGKILL)
        words = tuple(Word(word, 0.123456, SQUARE) for word in text.split())
        return Photo(name, len(picture), 9, (Line(words, SQUARE),) if words else ())


@dataclass(frozen=True)
class PlainSpec(ReaderSpec):
    seconds: float = 0.0
    """That every picture takes."""

    def reader(self):
        return PlainReader(self.seconds)

    def configuration(self):
        values = ReaderSpec.configuration(replace(self, model=next(iter(shipped_models()))))
        del values["options"]["seconds"]
        return values | {"sha256": str(self.model)}


def pictures(folder: Path, count: int) -> Path:
    """Some pictures that `PlainReader` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(count):
        (folder / f"{k:05}.jpg").write_bytes(f"word {k}".encode())
    return folder
