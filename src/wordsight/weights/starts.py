"""The checkpoint that training starts from, by name: a folder, or one made from a pack or from rapidocr's model."""

import hashlib
import re
from pathlib import Path

from wordsight import __version__
from wordsight.errors import ModelError
from wordsight.files import cache_folder
from wordsight.runtime import find_model, load_pack, shipped_models
from wordsight.runtime.models import REPLACED
from wordsight.runtime.pack import MANIFEST
from wordsight.weights.catalogue import refuse_published
from wordsight.weights.convert import RAPIDOCR, convert


def checkpoint_folder(start: str | Path) -> Path:
    """The checkpoint folder to start from; one that has to be made first is kept in the user's cache folder.

    Args:
        start: a checkpoint folder; a pack of ours, by its name or folder; or "rapidocr".

    Raises:
        ModelError: it is none of these, or a pack that cannot be turned back.
    """
    refuse_published(str(start))
    if (Path(start) / "config.json").is_file():
        return Path(start)
    if str(start) == RAPIDOCR:
        name, key = RAPIDOCR, ""
    elif str(start) in shipped_models() or (Path(start) / MANIFEST).is_file():
        pack = load_pack(find_model(start))
        name = re.sub(r"[^\w.-]", "-", pack.name)
        key = hashlib.sha256(repr(sorted(pack.files.items())).encode()).hexdigest()
    elif str(start) in REPLACED:
        raise ModelError(REPLACED[str(start)])
    else:
        names = ", ".join((*shipped_models(), RAPIDOCR))
        raise ModelError(f"{start} is no checkpoint folder, pack or name of a model: pass one, or one of {names}")
    folder = cache_folder() / "starts" / f"{__version__}-{key[:16]}" / name
    if not (folder / "config.json").is_file():
        convert(start).save(folder)
    return folder
