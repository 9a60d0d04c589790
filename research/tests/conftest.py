"""What these tests have in common with those of the library."""

import os
import sys
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # as in the library's tests

LIBRARY = Path(__file__).parents[2] / "tests"
sys.path += [str(LIBRARY / room) for room in ("models", "train", "synth")]  # small_models, toy_words, few_fonts, ...

from system_fonts import few_fonts  # noqa: E402, F401


@pytest.fixture(scope="session")
def real_data() -> Path:
    """As in the library's tests."""
    named = os.environ.get("WORDSIGHT_DATA")
    root = Path(named) if named else LIBRARY.parents[1] / "shared" / "data"
    if not root.is_dir():
        pytest.skip("no real data: set WORDSIGHT_DATA")
    return root
