"""The arrays of decoding: those in NumPy, and those of an engine's own kind."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]
Ids: TypeAlias = npt.NDArray[np.int64]

KV: TypeAlias = Any
"""Keys and values (B, depth, 2, L, D), an array of the engine's own kind, on its own device. `kv[rows]` selects."""

Rows: TypeAlias = Any
"""What a decoder needs of B images, an array (or several) of the engine's own kind. `rows[some]` selects."""
