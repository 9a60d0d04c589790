"""Regular expressions as automata of bounded size, by their derivatives (Brzozowski, J. ACM 11(4), 1964)."""

from collections.abc import Callable, Collection, Iterable
from functools import cache, reduce
from typing import Any, TypeAlias

MAX_STATES = 10_000
"""Of an automaton: `.*a.{13}` needs 2^14, but common patterns rarely a hundredth of the limit."""

MAX_WORK = 3_000_000
"""Steps of building one, of half a microsecond each: `((a{0,99}){0,99}){0,99}` has few states, but takes for ever."""

_QUICK = 16  # elements of sets that are joined or compared in the time of one step

_Node: TypeAlias = int
"""Number of an expression in `_Expressions`; equal expressions have equal numbers."""


class TooLargeError(Exception):
    """An automaton of more than `MAX_STATES` states, or that takes too long to build."""


def automaton(expression: str, characters: str, most_work: int = MAX_WORK) -> tuple[list[dict[int, int]], list[bool]]:
    """The deterministic automaton of a regular expression, over the indices of characters in `characters`.

    Args:
        expression: what it accepts.
        characters: each once.
        most_work: how much building it may take, see `MAX_WORK`.

    Returns:
        For each state, of which 0 is the first, which index leads to which state, and whether a match may end there.

    Raises:
        TooLargeError: it has too many states, or takes too long to build.
        Exception: those of `interegular`, whose syntax it is; they share no base class.
    """
    from interegular import parse_pattern

    built = _Expressions(characters, most_work)
    try:
        initial = built.of(parse_pattern(expression))
        classes = built.classes()
        number = {initial: 0}
        steps: list[dict[int, int]] = []
        for node in (order := [initial]):  # grows while it is walked
            leads: dict[int, int] = {}
            for places in classes:
                built.spend(1)
                target = built.derivative(node, places[0])
                if target == built.none:
                    continue
                if target not in number:
                    if len(number) == MAX_STATES:
                        raise TooLargeError
                    number[target] = len(number)
                    order.append(target)
                built.spend(len(places) // 2)
                leads.update(dict.fromkeys(places, number[target]))
            steps.append(leads)
    except RecursionError:
        raise TooLargeError from None
    return steps, [built.nullable[node] for node in order]


class _Expressions:
    """Expressions over indices of `characters`, each stored once in normal form, so that there are few derivatives."""

    def __init__(self, characters: str, most_work: int) -> None:
        self._place = {c: place for place, c in enumerate(characters)}
        self._all = frozenset(self._place.values())
        self._left = most_work
        self.keys: list[tuple[Any, ...]] = []
        self.nullable: list[bool] = []
        self._numbers: dict[tuple[Any, ...], _Node] = {}
        self.none = self._node("any of", frozenset[int](), nullable=False)
        self.empty = self._node("empty", nullable=True)
        self.everything = self._node("not", self.none, nullable=True)
        self.derivative: Callable[[_Node, int], _Node] = cache(self._derivative)

    def spend(self, steps: int) -> None:
        """Counts work.

        Raises:
            TooLargeError: it is too much.
        """
        self._left -= steps
        if self._left < 0:
            raise TooLargeError

    def _node(self, *key: Any, nullable: bool) -> _Node:
        self.spend(1)
        if key not in self._numbers:
            self._numbers[key] = len(self.keys)
            self.keys.append(key)
            self.nullable.append(nullable)
        return self._numbers[key]

    def any_of(self, places: Iterable[int]) -> _Node:
        """One character."""
        choice = frozenset(places)
        self.spend(len(choice) // _QUICK)
        return self._node("any of", choice, nullable=False)

    def then(self, first: _Node, second: _Node) -> _Node:
        """One after the other."""
        if self.none in (first, second):
            return self.none
        if self.empty in (first, second):
            return second if first == self.empty else first
        kind, *parts = self.keys[first]
        if kind == "then":
            return self.then(parts[0], self.then(parts[1], second))
        return self._node("then", first, second, nullable=self.nullable[first] and self.nullable[second])

    def either(self, *options: _Node) -> _Node:
        """One of them."""
        flat, single = set[_Node](), frozenset[int]()
        for option in options:
            several: Collection[_Node] = self.keys[option][1] if self.keys[option][0] == "either" else (option,)
            self.spend(len(several))
            for one in several:
                if self.keys[one][0] == "any of":
                    single |= self.keys[one][1]
                    self.spend(len(single) // _QUICK)
                else:
                    flat.add(one)
        if self.everything in flat:
            return self.everything
        if single:
            flat.add(self.any_of(single))
        if len(flat) < 2:
            return flat.pop() if flat else self.none
        return self._node("either", frozenset(flat), nullable=any(self.nullable[one] for one in flat))

    def both(self, first: _Node, second: _Node) -> _Node:
        """What both match."""
        if self.none in (first, second):
            return self.none
        if first in (second, self.everything):
            return second
        if second == self.everything:
            return first
        nullable = self.nullable[first] and self.nullable[second]
        return self._node("both", frozenset((first, second)), nullable=nullable)

    def neither(self, node: _Node) -> _Node:
        """The complement."""
        kind, *parts = self.keys[node]
        inner: _Node = parts[0] if kind == "not" else -1
        return inner if kind == "not" else self._node("not", node, nullable=not self.nullable[node])

    def repeated(self, node: _Node, least: int, most: int | None) -> _Node:
        """From `least` to `most` times; None is unbounded."""
        if most is not None and most < least:
            raise ValueError(f"{{{least},{most}}}: the minimum is larger than the maximum")
        if max(least, most or 0) > MAX_STATES:
            raise TooLargeError
        if most is None:
            out = node if self.keys[node][0] == "star" else self._node("star", node, nullable=True)
        else:
            out = self.empty
            for _ in range(most - least):
                out = self.either(self.empty, self.then(node, out))
        for _ in range(least):
            out = self.then(node, out)
        return out

    def _derivative(self, node: _Node, place: int) -> _Node:
        """What has to follow the character with this index."""
        self.spend(4)
        kind, *parts = self.keys[node]
        if kind == "any of":
            return self.empty if place in parts[0] else self.none
        if kind == "empty":
            return self.none
        if kind == "then":
            first, second = parts
            after = self.then(self.derivative(first, place), second)
            return self.either(after, self.derivative(second, place)) if self.nullable[first] else after
        if kind == "star":
            return self.then(self.derivative(parts[0], place), node)
        if kind == "not":
            return self.neither(self.derivative(parts[0], place))
        self.spend(len(parts[0]))
        found = [self.derivative(one, place) for one in parts[0]]
        return self.either(*found) if kind == "either" else reduce(self.both, found)

    def classes(self) -> list[list[int]]:
        """The indices of characters, grouped by those that no expression distinguishes."""
        apart: list[list[int]] = [[] for _ in self._place]
        for number, one in enumerate(key[1] for key in self.keys if key[0] == "any of"):
            self.spend(len(one) // _QUICK)
            for place in one:
                apart[place].append(number)
        groups: dict[tuple[int, ...], list[int]] = {}
        for place, numbers in enumerate(apart):
            groups.setdefault(tuple(numbers), []).append(place)
        return list(groups.values())

    def of(self, tree: Any, flags: Any = None, *, outermost: bool = True) -> _Node:
        """The expression of a tree that `interegular` parsed."""
        from interegular import patterns

        flags = patterns.REFlags(0) if flags is None else flags
        if isinstance(tree, patterns.Pattern):
            flags = (flags | tree.added_flags) & ~tree.removed_flags
            if not outermost and tree.prefix_postfix != (0, 0):
                raise patterns.Unsupported("a lookahead must lie within one group")
            return self.either(*(self.of(option, flags) for option in tree.options))
        if isinstance(tree, patterns._Concatenation):
            out = self.empty
            for part in reversed(tree.parts):
                if not isinstance(part, patterns._NonCapturing):
                    out = self.then(self.of(part, flags, outermost=False), out)
                    continue
                if part.backwards:
                    raise patterns.Unsupported("lookbehinds are not implemented")
                ahead = self.then(self.of(part.inner, flags, outermost=False), self.everything)
                out = self.both(out, self.neither(ahead) if part.negate else ahead)
            return out
        if isinstance(tree, patterns._Repeated):
            return self.repeated(self.of(tree.base, flags, outermost=False), tree.min, tree.max)
        if isinstance(tree, patterns._CharGroup):
            return self.any_of(self._group(tree.chars, tree.negated, bool(flags & patterns.REFlags.CASE_INSENSITIVE)))
        if tree == patterns._EMPTY:
            return self.empty
        line = "" if flags & patterns.REFlags.SINGLE_LINE else "\n"
        return self.any_of(self._group(line, negated=True, insensitive=False))  # a dot

    def _group(self, characters: Iterable[str], negated: bool, insensitive: bool) -> Iterable[int]:
        meant = set(characters)
        if insensitive:
            meant = {case for c in meant for case in (c.lower(), c.upper())}
        places = {self._place[c] for c in meant if c in self._place}
        return self._all - places if negated else places
