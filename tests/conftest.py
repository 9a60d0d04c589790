"""Fixtures that several rooms use."""

import os
from pathlib import Path

import pytest

# Threads that wait for each other make small models many times slower where the processors are busy with other things.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real words and scenes: WORDSIGHT_DATA, else ../shared/data; tests that need it skip without."""
    named = os.environ.get("WORDSIGHT_DATA")
    root = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not root.is_dir():
        pytest.skip("no real data: set WORDSIGHT_DATA")
    return root
