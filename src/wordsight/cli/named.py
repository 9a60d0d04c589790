"""Models by name, in commands that take one."""

from pathlib import Path


def check_here(model: str) -> None:
    """Whether a model is not one that others have published, and that has to be got first.

    Raises:
        ModelError: it is; how to get it.
    """
    from wordsight.errors import ModelError
    from wordsight.weights.catalogue import PUBLISHED

    if model in PUBLISHED and not Path(model).exists():
        raise ModelError(f"{model} is published by others and does not come along: {PUBLISHED[model].how(model)}")
