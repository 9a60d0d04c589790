"""Fixtures that several rooms use."""

import os
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

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


@pytest.fixture(scope="session", autouse=True)
def hurried_exports() -> Iterator[Any]:
    """ONNX exports in three quarters of their time, in which torch does once what it would do for every graph.

    The graphs stay the same to the last bit. Torch's table of ONNX operators takes it a second, and its cache of what
    operators make of shapes takes longer than working that out where sizes vary. Both are torch's own affair, so the
    package leaves them alone. Gives torch's own way to fill the table.
    """
    if not all(map(find_spec, ("torch", "onnxscript"))):
        yield None
        return
    import torch._dynamo
    from torch.onnx._internal.exporter import _registration

    torchs = _registration.ONNXRegistry.from_torchlib
    once = cache(lambda opset_version: torchs(opset_version=opset_version))
    with pytest.MonkeyPatch.context() as patch, torch._dynamo.config.patch(fake_tensor_cache_enabled=False):
        patch.setattr(_registration.ONNXRegistry, "from_torchlib", staticmethod(once))
        yield torchs
