"""What these tests have in common with those of the library."""

import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # as in the library's tests

LIBRARY = Path(__file__).parents[2] / "tests"
sys.path += [str(LIBRARY / room) for room in ("models", "train", "synth")]  # small_models, toy_words, few_fonts, ...

from system_fonts import few_fonts  # noqa: E402, F401
