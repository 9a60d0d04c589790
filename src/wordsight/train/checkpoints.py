"""Training checkpoints that survive the death of the process that writes them."""

import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from wordsight.errors import ModelError
from wordsight.files import replacing


class AtomicCheckpoints(TorchCheckpointIO):
    """Writes beside the old file and replaces it at once; reads tensors and plain values alone."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write `path`: until the new file is on the disk, the old one stays.

        Raises:
            OSError: it cannot be written.
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as new, new.open("wb") as file:
            try:
                torch.save(checkpoint, file)
            except RuntimeError as error:  # torch's writer of archives fails so where a file's write() did
                raise error.__context__ if isinstance(error.__context__, OSError) else error from None
            file.flush()
            os.fsync(file.fileno())
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the renaming, too
        finally:
            os.close(folder)

    def load_checkpoint(
        self, path: Any, map_location: Any = lambda storage, _: storage, weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Read `path`, never running code that it may hold.

        Raises:
            ModelError: it is missing, cut off or no training checkpoint.
        """
        try:
            found = torch.load(path, map_location=map_location, weights_only=True)
        except FileNotFoundError:
            raise ModelError(f"{path}: no such checkpoint: check --ckpt_path") from None
        except Exception as error:  # a damaged zip or pickle raises any of a dozen classes
            reason = " ".join(str(error).split())[:100]
            raise ModelError(f"{path}: not a whole training checkpoint ({reason}): resume from another one") from error
        if not isinstance(found, dict) or "optimizer_states" not in found:
            raise ModelError(f"{path}: holds no state of a training run: give the last.ckpt of one")
        return found
