"""Fonts for tests."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import ImageFont

from wordsight.synth.fonts import default_folders


@pytest.fixture(scope="session")
def few_fonts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with up to 40 of the system's fonts, or with Pillow's own; its index lies in a folder of its own."""
    folder = tmp_path_factory.mktemp("fonts")
    files = [p for root in default_folders() for p in sorted(root.rglob("*.ttf"))]
    for k, file in enumerate(files[:: max(1, len(files) // 40)][:40]):
        shutil.copy(file, folder / f"{k:02d}-{file.name}")
    own = ImageFont.load_default(20)
    assert isinstance(own, ImageFont.FreeTypeFont)
    own.path.seek(0)
    (folder / "own.ttf").write_bytes(own.path.read())
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield folder
