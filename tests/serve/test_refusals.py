"""What clients are told of what is refused, and what refusals cost the others."""

from contextlib import nullcontext

import pytest

from wordsight.errors import ConfigError, ImageError
from wordsight.serve.constraints import Constraints
from wordsight.serve.refusals import of_error
from wordsight.text import PRESETS, CharTokenizer


def test_a_format_that_needs_an_extra_is_not_readable_here():
    """How the service could be extended, and where it is installed, is no client's affair."""
    cure = "/usr/bin/python3 -m pip install 'wordsight[heif]'"
    refusal = of_error(ImageError(f"photo.heic is a HEIC file, which needs an extra: {cure}"))
    assert refusal.status == 415
    assert str(refusal) == "photo.heic is a HEIC file, which this service cannot read: send JPEG or PNG"
    assert of_error(ImageError("photo.jpg is truncated")).status == 422


def test_what_is_refused_is_not_tried_again(monkeypatch):
    tried = []
    constraints = Constraints(CharTokenizer(PRESETS["94"]), tried.append, nullcontext)
    weighed = constraints._pattern
    monkeypatch.setattr(constraints, "_pattern", lambda text: (tried.append(text), weighed(text))[1])
    for _ in range(2):
        with pytest.raises(ConfigError, match="pattern"):
            constraints.of(None, "(", None)
    assert tried == ["("]
