import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "reader"))  # toy_pack


@pytest.fixture(scope="session")
def toy_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack that reads nonsense, quickly (see toy_pack.py)."""
    from toy_pack import write_toy_pack

    return write_toy_pack(tmp_path_factory.mktemp("packs") / "toy")
