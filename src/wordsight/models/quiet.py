"""Silences the libraries that training and export are built on: their advice, adverts and deprecations."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quietly(*speakers: str) -> Iterator[None]:
    """These loggers log only errors, and nothing warns; our own loggers say what users should know."""
    loggers = [logging.getLogger(name) for name in speakers]
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
