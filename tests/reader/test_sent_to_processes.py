"""Readers in other processes: what can be sent there, and what is said of what cannot."""

import pickle
import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from toy_pack import write_toy_pack

from wordsight import Reader
from wordsight.errors import ConfigError


class Plain:
    """A detector that finds nothing."""

    def detect(self, image: NDArray[np.uint8]) -> list[object]:
        return []


class Locked(Plain):
    def __init__(self) -> None:
        self.lock = threading.Lock()


class Stubborn(Plain):
    def __reduce__(self) -> str:
        raise RuntimeError("not\nthis one")


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_pack(tmp_path_factory.mktemp("packs") / "toy")


def test_a_reader_with_its_own_detector_can_be_pickled(pack: Path) -> None:
    again = pickle.loads(pickle.dumps(Reader(pack, detector=Plain(), threads=1)))
    assert isinstance(again._detector(), Plain)


@pytest.mark.parametrize("detector", [Locked(), Stubborn(), type("Local", (Plain,), {})()])
def test_a_detector_that_cannot_be_pickled_is_one_line(pack: Path, detector: Plain, tmp_path: Path) -> None:
    reader = Reader(pack, detector=detector, threads=1)
    for send in (pickle.dumps, lambda each: list(each.iter_read([tmp_path / "a.png"], workers=2))):
        with pytest.raises(ConfigError, match="give a detector's name or folder, or an object that can be") as caught:
            send(reader)
        assert f"an object of type {type(detector).__name__}, cannot be sent" in str(caught.value)
        assert "\n" not in str(caught.value)
