"""What the gates of a model with CLIPTER say about its training: signs of failure."""

from collections.abc import Mapping

SHUT = 0.01
"""A gate that ends below this has not opened, one of the paper's two signs of failure; the threshold is ours."""


def sign(value: float) -> str:
    """What is wrong with a gate that ends at this value; empty if nothing is."""
    if abs(value) < SHUT:
        return "shut: the recognizer does not listen to scenes"
    if value < 0:
        return "negative: features are pushed away from what the scene says, which is no convex combination"
    return ""


def remarks(gates: Mapping[str, float]) -> list[str]:
    """A sentence about each gate."""
    return [
        f"gate {place} {value:+.4f}" + (f", a sign of failure: {wrong}" if (wrong := sign(value)) else "")
        for place, value in gates.items()
    ]
