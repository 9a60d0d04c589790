"""Models by name, in commands that take one."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wordsight.runtime import Pack


def find(model: str) -> "Pack | Path":
    """The pack of that name or in that folder; of a checkpoint, the folder.

    Raises:
        ModelError: it is neither, it is damaged, or it is published by others and has to be downloaded first.
    """
    from wordsight.runtime import find_model, load_pack
    from wordsight.weights.catalogue import refuse_published

    refuse_published(model)
    folder = Path(model)
    return folder if (folder / "model.safetensors").is_file() else load_pack(find_model(model))
