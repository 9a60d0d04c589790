"""Silences the libraries that training is built on: their advice, adverts and deprecations."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_SPEAKERS = ("lightning.pytorch", "lightning.fabric")


@contextmanager
def quietly() -> Iterator[None]:
    """Lightning logs only errors, and no dependency warns; our own loggers say what users should know."""
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
