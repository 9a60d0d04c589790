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


def one_cycle(step: int, end: int) -> float:
    """From 1 / 25 up to 1 over the first 7.5 % of all `end` steps, then down to 4e-6; cosine both ways.

    What PyTorch's OneCycleLR does with the numbers of CLIP4STR (its released code): pct_start 0.075, div_factor 25,
    final_div_factor 1e4, which counts from the first value: 1 / 25 / 1e4.
    """
    peak = 0.075 * end - 1
    if step <= peak:
        return _cosine(1 / 25, 1.0, step / peak)
    return _cosine(1.0, 4e-6, min(1.0, (step - peak) / (end - 1 - peak)))


def _cosine(start: float, stop: float, share: float) -> float:
    return stop + (start - stop) * (1 + math.cos(math.pi * share)) / 2
