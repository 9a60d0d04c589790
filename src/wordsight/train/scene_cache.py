"""A cache of scene tokens: the encoder is frozen, so they serve all words of a scene, in all epochs and runs."""

import hashlib
import logging
import os
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wordsight.data import SceneView
from wordsight.files import replacing
from wordsight.models.clipter.scene import SceneEncoder

_log = logging.getLogger(__name__)

Tokens = npt.NDArray[np.float16]

_LARGEST = float(np.finfo(np.float16).max)
_FULL, _KEPT = 0.95, 0.9  # of the allowed bytes: from when on files are deleted, and how many stay
_COUNTED = 0.05  # of the allowed bytes may be written before files, other processes' too, are counted again


class SceneCache:
    """Tokens of scenes in float16, the most recently used ones in memory and, with a folder, on disk.

    Cached tokens are bit for bit those that are computed again: every scene is encoded by itself.

    Args:
        encoder: makes the tokens.
        memory: bytes to keep in memory, and `disk` on disk; the least recently used tokens go first.
        folder: where tokens are kept from run to run; processes may share it. A damaged file is replaced.
    """

    def __init__(
        self,
        encoder: SceneEncoder,
        *,
        memory: int = 1 << 30,
        folder: Path | None = None,
        disk: int = 16 << 30,
    ) -> None:
        self.encoder = encoder
        self.memory = memory
        self.folder = folder
        self.disk = disk
        self.encoded = 0
        """How many scenes have gone through the encoder."""
        self._kept: OrderedDict[str, Tokens] = OrderedDict()
        self._bytes = 0
        self._uncounted: float = disk  # bytes written since files were counted
        self._writable = True

    @property
    def bytes(self) -> int:
        """How much is in memory."""
        return self._bytes

    def tokens(self, scenes: Sequence[SceneView]) -> Tensor:
        """Tokens of N scenes, at least one, in that order: (N, M, D_s) float16 on the CPU."""
        return torch.from_numpy(np.stack([self._one(scene) for scene in scenes]))

    def name(self, scene: SceneView) -> str:
        """The name under which tokens are kept: a hash, in hexadecimal digits, of all that they depend on."""
        return hashlib.blake2b(f"{self.encoder.identity}\n{scene.key}".encode(), digest_size=16).hexdigest()

    def _one(self, scene: SceneView) -> Tokens:
        name = self.name(scene)
        if name in self._kept:
            self._kept.move_to_end(name)
            return self._kept[name]
        tokens = self._read(name)
        if tokens is None:
            self.encoded += 1
            found = self.encoder.encode([scene.load()])[0].detach().float().clamp(-_LARGEST, _LARGEST)
            tokens = found.cpu().numpy().astype(np.float16)
            self._write(name, tokens)
        self._kept[name] = tokens
        self._bytes += tokens.nbytes
        while self._bytes > self.memory:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return tokens

    def _read(self, name: str) -> Tokens | None:
        if self.folder is None:
            return None
        file = self.folder / name[:2] / f"{name}.npz"
        try:
            with np.load(file, allow_pickle=False) as stored:  # a zip file: its checksums are compared
                tokens: Tokens = stored["tokens"]
            os.utime(file)
        except FileNotFoundError:
            return None
        except Exception as error:  # a damaged zip or array raises any of eight classes
            _log.warning("%s: cannot be used (%s) and is rebuilt", file, " ".join(str(error).split()))
            return None
        return tokens if tokens.dtype == np.float16 and tokens.ndim == 2 else None

    def _write(self, name: str, tokens: Tokens) -> None:
        if self.folder is None or not self._writable:
            return
        file = self.folder / name[:2] / f"{name}.npz"
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with replacing(file) as new:
                np.savez(new, tokens=tokens)
                self._uncounted += new.stat().st_size
            if self._uncounted > _COUNTED * self.disk:
                self._make_room(self.folder)
        except OSError as error:
            self._writable = False
            _log.warning("%s: scene tokens cannot be kept here (%s)", self.folder, error.strerror or error)

    def _make_room(self, folder: Path) -> None:
        files = []  # when each was last used, its size, and its path
        for file in folder.glob("??/[!.]*.npz"):
            try:
                state = file.stat()
            except FileNotFoundError:  # another process made room
                continue
            files.append((state.st_mtime, state.st_size, file))
        left = sum(size for _, size, _ in files)
        if left > _FULL * self.disk:
            for _, size, file in sorted(files):
                file.unlink(missing_ok=True)
                left -= size
                if left <= _KEPT * self.disk:
                    break
        self._uncounted = 0.0
