"""Training without the remarks of what it is made of: advice, adverts, deprecations."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_SPEAKERS = ("lightning.pytorch", "lightning.fabric")


@contextmanager
def quietly() -> Iterator[None]:
    """Lightning logs errors alone, and no dependency warns; what users should know is logged by ours."""
    loggers = [logging.getLogger(name) for name in _SPEAKERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
