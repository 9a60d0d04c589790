"""What clients are told of what is refused, and what refusals cost the others."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from threading import Event

import pytest

from wordsight.errors import ConfigError, ImageError
from wordsight.serve.constraints import Constraints
from wordsight.serve.refusals import Refusal, of_error
from wordsight.text import PRESETS, Charset, CharTokenizer


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


HOSTILE = [
    "((a{0,99}){0,99}){0,99}",
    "(a|b)*a(a|b){13}",
    "[a-zA-Z]{1,4000}",
    "(.{0,30}a){0,30}",
    "(?=.*a)(?=.*b)(?=.*c)(?=.*d)(?=.*e)(?=.*f)(?=.*g)(?=.*h)(?=.*i)(?=.*j)(?=.*k)(?=.*l)(?=.*m)(?=.*n).*",
    "(a|aa|aaa|aaaa){0,3000}",
    "a?" * 500,
]


def test_no_pattern_takes_longer_than_a_photo():
    constraints = Constraints(CharTokenizer(Charset.preset("94")), lambda made: made, nullcontext)
    for pattern in HOSTILE:
        begun = time.thread_time()
        with pytest.raises(ConfigError, match="too expensive"):
            constraints.of(None, pattern, None)
        assert time.thread_time() - begun < 0.5, pattern  # some took minutes; now a twentieth of a second


@pytest.mark.parametrize(
    "pattern",
    [
        r"[A-Z]{1,3} ?[A-Z]{1,2} ?\d{1,4}[EH]?",
        r"(19|20)\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])",
        r"[A-Za-z]{1,30}( [A-Za-z]{1,30}){0,5}",
        "|".join(f"word{k}" for k in range(130)),
        r"(?=.*\d)(?=.*[A-Z]).{6,20}",
        ".{0,200}",
    ],
)
def test_patterns_that_people_need_are_none_of_these(pattern):
    constraints = Constraints(CharTokenizer(Charset.preset("94")), lambda made: made, nullcontext)
    assert constraints.of(None, pattern, None)


def test_new_patterns_leave_threads_to_others_and_one_that_comes_twice_is_compiled_once():
    made, compiling, gate = [], Event(), Event()

    def make(constraint):
        compiling.set()
        assert gate.wait(60)
        made.append(constraint)
        return len(made)

    constraints = Constraints(CharTokenizer(Charset.preset("94")), make, nullcontext, places=2)
    with ThreadPoolExecutor(8) as pool:
        first = [pool.submit(constraints.of, None, "a+", None)]
        assert compiling.wait(60)
        first += [pool.submit(constraints.of, None, pattern, None) for pattern in ("a+", "b+", "a+", "b+")]
        while len(constraints._making) < 2:
            time.sleep(0.001)
        for _ in range(3):
            with pytest.raises(Refusal, match="try again") as refused:
                constraints.of(None, "c+", None)
            assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "1"})
        gate.set()
        assert [job.result() for job in first] == [1, 1, 2, 1, 2]
    assert constraints.of(None, "c+", None) == 3
    assert constraints.of(None, "a+", None) == 1
    assert not constraints._making


def test_what_was_compiled_is_kept_within_limits():
    constraints = Constraints(CharTokenizer(Charset.preset("94")), lambda made: made, nullcontext)
    with pytest.raises(ConfigError) as told:
        constraints.of("€" * 50_000, None, None)
    assert len(str(told.value)) < 200
    for number in range(30):
        constraints.of("a" * 50_000 + str(number), None, None)
        with pytest.raises(ConfigError):
            constraints.of(None, None, f"{number}" * 60_000)
    assert sum(len(text) for _, text in constraints._kept) < 500_000
    assert sum(len(text) for _, text in constraints._refused) < 500_000
