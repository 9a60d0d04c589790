"""What decoding asks of an engine."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from wordsight.text import CharTokenizer

Floats: TypeAlias = npt.NDArray[np.float32]
Ids: TypeAlias = npt.NDArray[np.int64]

KV: TypeAlias = Any
"""Keys and values (B, depth, 2, L, D), an array of the engine's own kind, on its own device. `kv[rows]` selects."""

Rows: TypeAlias = Any
"""What a decoder needs of B images, an array (or several) of the engine's own kind. `rows[some]` selects."""


class Seen(NamedTuple):
    """What a look at B images leaves to decode from.

    Attributes:
        visual: K/V of the visual decoder.
        cross: the image's K/V of the cross-modal decoder; None without one.
        columns: (B, W) the class that each column of the image most likely shows, [E] for none: the first draft, where
            a recognizer has learned it (its CTC head). What is read does not depend on it, only in how many passes.
    """

    visual: KV
    cross: KV | None = None
    columns: Ids | None = None


class Spec(Protocol):
    """What decoding has to know of a recognizer besides its graphs: its configuration and its pack both say it."""

    @property
    def tokenizer(self) -> CharTokenizer:
        """Of the decoder."""
        ...

    @property
    def max_length(self) -> int:
        """Characters that it was trained to write at most."""
        ...


class PsmGraphs(Protocol):
    """The parts of a recognizer.

    B rows, T tokens [B] c1 c2 ..., L memory tokens, logits (B, T, C + 1); row i of `mask` (B, T, T, additive) says
    which tokens the query of output position i sees. No row may influence another.
    """

    def image(self, images: Floats) -> Seen:
        """A look at images (B, 3, H, W)."""
        ...

    def text(self, tokens: Ids) -> KV:
        """Caption tokens (B, S) to K/V (B, depth, 2, S, D) of the cross-modal decoder; of one token if pooled."""
        ...

    def join(self, image: KV, captions: Sequence[KV], of_row: Ids, lengths: Ids) -> KV:
        """Image and caption as one memory, see `join_arrays`."""
        ...

    def visual(self, tokens: Ids, kv: KV, mask: Floats) -> Floats:
        """Logits of the visual decoder."""
        ...

    def cross(self, tokens: Ids, kv: KV, mask: Floats, memory_mask: Floats) -> Floats:
        """Logits of the cross-modal decoder; `memory_mask` (B, L) is additive."""
        ...


def join_arrays(image: Floats, captions: Sequence[Floats], of_row: Ids, lengths: Ids) -> Floats:
    """K/V of image and caption in one, in NumPy.

    Args:
        image: (B, depth, 2, L, D).
        captions: K/V (depth, 2, S, D) of each distinct caption.
        of_row: (B,) the number of each row's caption.
        lengths: (B,) how many tokens each row gets in all.

    Returns:
        (B, depth, 2, longest, D), zeros at the end of the shorter ones.
    """
    rows, depth, two, tokens, width = image.shape
    out = np.zeros((rows, depth, two, int(lengths.max()), width), image.dtype)
    out[:, :, :, :tokens] = image
    for row, number, length in zip(out, of_row, lengths, strict=True):
        row[:, :, tokens:length] = captions[number]
    return out
