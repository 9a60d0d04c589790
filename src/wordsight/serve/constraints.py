"""Constraints of clients: none may cost a service more than a moment, and those that come again are kept."""

from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from threading import Event, Lock
from typing import Generic, TypeVar

from wordsight.errors import ConfigError
from wordsight.serve.desk import time_left
from wordsight.serve.refusals import Refusal, late
from wordsight.serve.settings import MAX_TRANSITIONS, MAX_WORK
from wordsight.text import CharTokenizer, Constraint

T = TypeVar("T")

_Key = tuple[str, str]
"""The kind of a constraint, and what the client wrote."""

_LONGEST = 1000  # characters of an expression
_REFUSED = 100  # expressions that are remembered as refused


class Constraints(Generic[T]):
    """The compiled constraints of clients, of which the last ones are kept.

    One is compiled at a time, and few may wait for that: else clients who think of a new one for each request would
    have all the threads, and those who ask for none, or for a known one, would wait.

    Args:
        tokenizer: of the recognizer.
        make: makes it.
        turn: what is done meanwhile counts as work.
        places: new ones that may be compiled or wait for it at a time.
    """

    def __init__(
        self,
        tokenizer: CharTokenizer,
        make: Callable[[Constraint], T],
        turn: Callable[[], AbstractContextManager[None]] = nullcontext,
        places: int = 4,
    ) -> None:
        self._tokenizer = tokenizer
        self._make = make
        self._turn = turn
        self._places = places
        self._kept: OrderedDict[_Key, tuple[int, T]] = OrderedDict()
        self._refused: OrderedDict[_Key, str] = OrderedDict()
        self._making: dict[_Key, Event] = {}
        self._lock = Lock()  # of the three
        self._one = Lock()

    def of(self, allow: str | None, pattern: str | None, lexicon: str | None) -> T | None:
        """What one of the three asks for (`lexicon`: words, one a line), or None.

        Raises:
            ConfigError: there is more than one of them, nothing that it allows can be written, or it costs too much.
            Refusal: 503, too many new ones wait already; 504, there was no time to find out.
        """
        given = {"allow": allow, "pattern": pattern, "lexicon": lexicon}
        asked = [(kind, text) for kind, text in given.items() if text is not None]
        if len(asked) > 1:
            raise ConfigError("allow, pattern and lexicon exclude each other: give one of them")
        if not asked:
            return None
        key = asked[0]
        while True:
            with self._lock:
                if key in self._refused:
                    raise ConfigError(self._refused[key])
                if key in self._kept:
                    self._kept.move_to_end(key)
                    return self._kept[key][1]
                other = self._making.get(key)
                if other is None:
                    self._take_place(key)
                    break
            if not other.wait(max(0.0, time_left())):
                raise late()
        try:
            return self._compiled(key)
        finally:
            with self._lock:
                self._making.pop(key).set()

    def _take_place(self, key: _Key) -> None:
        if len(self._making) >= self._places:
            message = "too many new patterns, lists and sets of characters come at once: try again in a second"
            raise Refusal(503, "constraints", message, {"Retry-After": "1"})
        self._making[key] = Event()

    def _compiled(self, key: _Key) -> T:
        kind, text = key
        kinds: dict[str, Callable[[str], Constraint]] = {
            "allow": lambda text: Constraint.allow(text, self._tokenizer),
            "pattern": self._pattern,
            "lexicon": self._lexicon,
        }
        if not self._one.acquire(timeout=max(0.0, time_left())):
            raise late()
        try:
            with self._turn():
                constraint = kinds[kind](text)
                made = self._make(constraint)
        except ConfigError as error:
            with self._lock:
                if len(text) <= _LONGEST:  # longer ones are refused at once
                    self._refused[key] = str(error)
                while len(self._refused) > _REFUSED:
                    self._refused.popitem(last=False)
            raise
        finally:
            self._one.release()
        with self._lock:
            self._kept[key] = len(text) + _cost(constraint), made
            while len(self._kept) > 1 and sum(cost for cost, _ in self._kept.values()) > 4 * MAX_TRANSITIONS:
                self._kept.popitem(last=False)
        return made

    def _lexicon(self, text: str) -> Constraint:
        if 2 * len(text) > MAX_TRANSITIONS:  # a letter in either case
            raise ConfigError(f"the list of words has {len(text)} characters: give {MAX_TRANSITIONS // 2} at most")
        return Constraint.lexicon(text.split("\n"), self._tokenizer)

    def _pattern(self, expression: str) -> Constraint:
        if len(expression) > _LONGEST:
            raise ConfigError(f"the pattern has {len(expression)} characters: give {_LONGEST} at most")
        constraint = Constraint.pattern(expression, self._tokenizer, MAX_WORK)
        if _cost(constraint) > MAX_TRANSITIONS:
            raise ConfigError(f"the pattern {expression[:60]!r} is too expensive: shorten its repetitions")
        return constraint


def _cost(constraint: Constraint) -> int:
    return len(constraint.steps) + sum(map(len, constraint.steps))
