"""Which content tokens a decoder's queries may attend to: additive float32 masks, 0 seen and `HIDDEN` not.

Content is [B] c1 c2 ...; query i predicts output position i, which is content token i + 1.
"""

import numpy as np
import numpy.typing as npt

HIDDEN = -1e9
"""Large enough for a softmax of exactly 0 in float32, and finite, so that no engine computes NaN."""


def first_only(rows: int, length: int) -> npt.NDArray[np.float32]:
    """Every query sees [B] alone. Returns (rows, length, length)."""
    mask = np.full((rows, length, length), HIDDEN, np.float32)
    mask[:, :, 0] = 0
    return mask


def causal(rows: int, length: int) -> npt.NDArray[np.float32]:
    """Query i sees content tokens 0..i. Returns (rows, length, length)."""
    mask = np.triu(np.full((length, length), HIDDEN, np.float32), k=1)
    return np.repeat(mask[None], rows, axis=0)


def cloze(lengths: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.float32]:
    """Query i sees [B] and all characters of its row but the one it predicts; nothing from the first [E] on.

    `lengths` (B,): the number of characters in each row's context. Returns (B, length, length).
    """
    mask = np.zeros((len(lengths), length, length), np.float32)
    own = np.arange(length - 1)
    mask[:, own, own + 1] = HIDDEN
    ended = np.arange(length)[None] > lengths[:, None]  # (B, T): token j is character j, so [E] is token length + 1
    mask[np.broadcast_to(ended[:, None], mask.shape)] = HIDDEN
    return mask


def padding(lengths: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.float32]:
    """Hides all but the first `lengths[i]` (B,) tokens of a row. Returns (B, length)."""
    return np.where(np.arange(length)[None] < lengths[:, None], 0.0, HIDDEN).astype(np.float32)
