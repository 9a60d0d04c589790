"""What constraints cost those who ask for others, and for the same again."""

from contextlib import nullcontext

import pytest

from wordsight.errors import ConfigError
from wordsight.serve.constraints import Constraints
from wordsight.text import PRESETS, CharTokenizer


def test_what_is_refused_is_not_tried_again(monkeypatch):
    tried = []
    constraints = Constraints(CharTokenizer(PRESETS["94"]), tried.append, nullcontext)
    weighed = constraints._pattern
    monkeypatch.setattr(constraints, "_pattern", lambda text: (tried.append(text), weighed(text))[1])
    for _ in range(2):
        with pytest.raises(ConfigError, match="pattern"):
            constraints.of(None, "(", None)
    assert tried == ["("]
