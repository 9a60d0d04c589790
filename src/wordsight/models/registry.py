"""Recognizers by name: what a checkpoint or a recipe says is what gets built."""

from collections.abc import Callable
from typing import Any, TypeVar

from torch import nn

from wordsight.errors import ConfigError

_M = TypeVar("_M", bound=type[nn.Module])
_RECOGNIZERS: dict[str, type[nn.Module]] = {}


def register(name: str) -> Callable[[_M], _M]:
    """Class decorator: makes a recognizer known as `name`. A name can be taken once."""

    def add(cls: _M) -> _M:
        if name in _RECOGNIZERS:
            raise ConfigError(f"a recognizer called {name!r} is registered already: choose another name")
        cls.architecture = name  # type: ignore[attr-defined]
        _RECOGNIZERS[name] = cls
        return cls

    return add


def recognizer_class(name: str) -> Any:
    """The recognizer class called `name`."""
    import wordsight.models.baselines
    import wordsight.models.clip
    import wordsight.models.clip4str
    import wordsight.models.parseq.model
    import wordsight.models.ppocr  # noqa: F401  (they register themselves)

    if name not in _RECOGNIZERS:
        raise ConfigError(f"no recognizer is called {name!r}: choose one of {', '.join(sorted(_RECOGNIZERS))}")
    return _RECOGNIZERS[name]
