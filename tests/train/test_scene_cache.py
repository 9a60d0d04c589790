"""Scenes are encoded once, and nobody can tell whether tokens were found or computed."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch

from wordsight.train import scene_cache as caches


@dataclass
class Picture:
    """A grey picture that counts how often it is decoded."""

    grey: int
    key: str = ""
    loads: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.key = self.key or f"grey {self.grey}"

    def load(self) -> np.ndarray:
        self.loads.append(1)
        return np.full((4, 6, 3), self.grey, np.uint8)


def encode(pixels: np.ndarray) -> torch.Tensor:
    """(5, 8) numbers that float16 cannot hold."""
    return float(pixels.mean()) + torch.linspace(0, 1, 40).reshape(5, 8) / 3


ENTRY = 5 * 8 * 2


class Encoder:
    """In the place of a `SceneEncoder`: one that encodes by a function."""

    def __init__(self, encode: Callable[[np.ndarray], torch.Tensor], identity: str) -> None:
        self._encode, self.identity = encode, identity

    def encode(self, scenes: Sequence[np.ndarray]) -> torch.Tensor:
        return torch.stack([self._encode(scene) for scene in scenes])


def made(encode: Callable[[np.ndarray], torch.Tensor], identity: str, **options) -> caches.SceneCache:
    return caches.SceneCache(Encoder(encode, identity), **options)


def test_what_is_found_is_what_was_computed(tmp_path: Path) -> None:
    cache = made(encode, "e", folder=tmp_path)
    pictures = [Picture(3), Picture(200)]
    computed = cache.tokens(pictures)
    assert computed.shape == (2, 5, 8)
    assert computed.dtype == torch.float16
    torch.testing.assert_close(computed[1].float(), encode(pictures[1].load()), atol=0.1, rtol=0)
    remembered = cache.tokens([pictures[1], pictures[0], pictures[1]])
    assert torch.equal(remembered, computed[[1, 0, 1]])
    again = made(encode, "e", folder=tmp_path)
    assert torch.equal(again.tokens(pictures), computed)
    assert (cache.encoded, again.encoded) == (2, 0)
    assert len(pictures[0].loads) == 1
    assert torch.equal(made(encode, "e").tokens(pictures), computed)


def test_a_scene_is_encoded_alone() -> None:
    shapes = []

    def watched(pixels: np.ndarray) -> torch.Tensor:
        shapes.append(pixels.shape)
        return encode(pixels)

    made(watched, "e").tokens([Picture(1), Picture(2)])
    assert shapes == [(4, 6, 3)] * 2


def test_names_change_with_what_tokens_depend_on() -> None:
    names = {
        made(encode, identity).name(Picture(1, key))
        for identity in ("clip/224/k2", "clip/224/k4", "clip/336/k2", "random/224/k2")
        for key in ("real:a", "real:b", "mask-word:a#1", "mask-word:a#2")
    }
    assert len(names) == 16


def test_memory_is_bounded_and_keeps_what_was_used_last() -> None:
    cache = made(encode, "e", memory=3 * ENTRY)
    first, *others = [Picture(grey) for grey in range(6)]
    for other in others:
        cache.tokens([first])
        cache.tokens([other])
        assert cache.bytes <= 3 * ENTRY
    assert len(first.loads) == 1
    cache.tokens([others[0]])
    assert len(others[0].loads) == 2
    nothing = made(encode, "e", memory=0)
    assert torch.equal(nothing.tokens([first]), cache.tokens([first]))
    assert nothing.bytes == 0


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.npz"))


def test_the_disk_is_bounded_and_keeps_what_was_used_last(tmp_path: Path) -> None:
    made(encode, "e", folder=tmp_path).tokens([Picture(0)])
    size = files(tmp_path)[0].stat().st_size
    pictures = [Picture(grey) for grey in range(12)]
    for number, picture in enumerate(pictures):  # processes come and go
        cache = made(encode, "e", memory=0, folder=tmp_path, disk=5 * size)
        cache.tokens([picture])
        os.utime(next(tmp_path.rglob(f"{cache.name(picture)}.npz")), (number, number))
        cache.tokens([pictures[0]])
        assert sum(file.stat().st_size for file in files(tmp_path)) <= 5 * size
    fresh = made(encode, "e", folder=tmp_path)
    fresh.tokens([pictures[0], pictures[11]])
    assert fresh.encoded == 0
    fresh.tokens([pictures[3]])
    assert fresh.encoded == 1


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "other"])
def test_a_damaged_file_is_computed_again(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    expected = made(encode, "e", folder=tmp_path).tokens([Picture(7)])
    (file,) = files(tmp_path)
    whole = file.read_bytes()
    middle = len(whole) // 2
    file.write_bytes(
        {
            "cut": whole[:middle],
            "empty": b"",
            "flipped": whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :],
            "other": b"something else",
        }[damage]
    )
    again = made(encode, "e", folder=tmp_path)
    assert torch.equal(again.tokens([Picture(7)]), expected)
    assert again.encoded == 1
    assert "is rebuilt" in caplog.text
    third = made(encode, "e", folder=tmp_path)
    third.tokens([Picture(7)])
    assert third.encoded == 0
    assert [path.name for path in tmp_path.rglob(".*")] == []


def test_a_folder_that_cannot_be_written_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "taken").write_text("a file")
    cache = made(encode, "e", folder=tmp_path / "taken")
    cache.tokens([Picture(1), Picture(2)])
    assert caplog.text.count("cannot be kept here") == 1


def test_numbers_that_float16_has_no_place_for() -> None:
    tokens = made(lambda pixels: torch.full((1, 2), 1e6), "e").tokens([Picture(1)])
    assert torch.isfinite(tokens).all()
