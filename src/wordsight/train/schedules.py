"""Learning-rate factors by step."""

import math


def warmup_stable_decay(step: int, warmup: int, decay_from: int, end: int) -> float:
    """Up linearly over `warmup` steps, flat, down linearly from `decay_from` to 0 at `end`.

    The flat part has no fixed end: a run can continue for as long as there is compute, and be annealed before it is
    shipped (Hägele et al., arXiv 2405.18392).
    """
    up = min(1.0, (step + 1) / max(warmup, 1))
    down = min(1.0, (end - step) / max(end - decay_from, 1))
    return max(0.0, min(up, down))


def one_cycle(step: int, end: int, warmup: float = 0.075, first: float = 1 / 25, last: float = 4e-6) -> float:
    """From `first` up to 1 over a share `warmup` of all `end` steps, then down to `last`; cosine both ways.

    What PyTorch's OneCycleLR does with the numbers of CLIP4STR (its released code): pct_start 0.075, div_factor 25,
    final_div_factor 1e4, which counts from the first value: 1 / 25 / 1e4.
    """
    peak = warmup * end - 1
    if step <= peak:
        return _cosine(first, 1.0, step / peak)
    return _cosine(1.0, last, min(1.0, (step - peak) / (end - 1 - peak)))


def _cosine(start: float, stop: float, share: float) -> float:
    return stop + (start - stop) * (1 + math.cos(math.pi * share)) / 2
