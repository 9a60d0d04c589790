from pathlib import Path

import pytest

from wordsight import Reader
from wordsight.runtime import DEFAULT, shipped_models


@pytest.fixture(scope="session")
def toy_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack that reads nonsense, quickly (see toy_pack.py)."""
    from toy_pack import write_toy_pack

    return write_toy_pack(tmp_path_factory.mktemp("packs") / "toy")


@pytest.fixture(scope="session")
def shipped() -> Reader:
    """A reader with the default model."""
    if DEFAULT not in shipped_models():
        pytest.skip(f"the pack {DEFAULT!r} is not in this checkout")
    return Reader()
