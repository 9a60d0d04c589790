"""The arrays of decoding: those in NumPy, and those of an engine's own kind."""

from typing import Any, Protocol, Self, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]
Ids: TypeAlias = npt.NDArray[np.int64]
Numbers: TypeAlias = npt.NDArray[Any]
"""In NumPy, of any type of number."""


class Array(Protocol):
    """An array of an engine's own kind, on its own device: NumPy's, or a tensor."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its sizes."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> Self: ...


KV: TypeAlias = Array
"""Keys and values (B, depth, 2, L, D). `kv[rows]` selects."""

Rows: TypeAlias = Array
"""What a decoder needs of B images. `rows[some]` selects."""
