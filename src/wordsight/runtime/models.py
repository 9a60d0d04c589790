"""Finding packs: those that come with the package, and the user's own."""

from pathlib import Path

from wordsight.errors import ModelError, no_pack_yet
from wordsight.runtime.pack import MANIFEST

DEFAULT = "latin"
"""The pack that reads where none is asked for."""
REPLACED = {"tiny": "tiny was replaced by latin: give latin, or leave the model out"}
"""Models that shipped once, and what to do."""

_SHIPPED = Path(__file__).parent.parent / "packs"


def shipped_models() -> dict[str, Path]:
    """Names and folders of the packs inside the package, sorted by name."""
    if not _SHIPPED.is_dir():
        return {}
    return {folder.name: folder for folder in sorted(_SHIPPED.iterdir()) if (folder / MANIFEST).is_file()}


def find_model(name_or_path: str | Path = DEFAULT) -> Path:
    """The folder of a pack: of the shipped one with this name, else the folder itself.

    Raises:
        ModelError: it is neither.
    """
    shipped = shipped_models()
    if str(name_or_path) in shipped:
        return shipped[str(name_or_path)]
    folder = Path(name_or_path)
    if (folder / MANIFEST).is_file():
        return folder
    if (folder / "model.safetensors").is_file():
        raise ModelError(no_pack_yet(folder))
    if str(name_or_path) in REPLACED and not folder.exists():
        raise ModelError(REPLACED[str(name_or_path)])
    names = ", ".join(shipped) or "none"
    if folder.exists():
        raise ModelError(
            f"{folder} is not a model pack (it has no {MANIFEST}): pass a pack's folder or a name ({names})"
        )
    raise ModelError(f"no model is called {str(name_or_path)!r}: shipped are {names}; or pass the folder of a pack")
