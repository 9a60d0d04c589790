"""Constraints on readings: a set of characters, a regular expression, or a list of words."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from wordsight.errors import ConfigError
from wordsight.text.lexicons import Trie
from wordsight.text.patterns import MAX_STATES, MAX_WORK, TooLargeError, automaton
from wordsight.text.tokenizer import CharTokenizer

_LONGEST = 1000  # characters of a listed word: no recognizer writes so many, and each is another level of the automaton
_NEVER = 2**31  # characters to the end of a word, if there is no end


@dataclass(frozen=True, eq=False)
class Constraint:
    """A deterministic automaton over the ids of characters; a reading is a path from state 0 to a state in `ends`.

    Attributes:
        steps: for each state, which character id leads to which state.
        ends: for each state, whether a word may end there.
        left: for each state, the least number of characters until a word may end.
    """

    steps: Sequence[Mapping[int, int]]
    ends: Sequence[bool]
    left: Sequence[int]

    @classmethod
    def of(
        cls, allow: str | None, pattern: str | None, lexicon: Iterable[str] | None, tokenizer: CharTokenizer
    ) -> "Constraint | None":
        """The constraint that one of the three arguments describes; None if all are None.

        Raises:
            ConfigError: there is more than one of them, or the recognizer can write nothing that it allows.
        """
        if sum(given is not None for given in (allow, pattern, lexicon)) > 1:
            raise ConfigError("allow, pattern and lexicon exclude each other: give one of them")
        if allow is not None:
            return cls.allow(allow, tokenizer)
        if pattern is not None:
            return cls.pattern(pattern, tokenizer)
        return None if lexicon is None else cls.lexicon(lexicon, tokenizer)

    @classmethod
    def allow(cls, characters: str, tokenizer: CharTokenizer) -> "Constraint":
        """Any text of these characters, or none.

        Raises:
            ConfigError: the recognizer can write none of them.
        """
        ids = {i for c in set(characters) if c in tokenizer.charset for i in tokenizer.ids(c)}
        if not ids:
            raise ConfigError(f"this model can write none of the characters {_short(characters)!r}: allow others")
        return cls([dict.fromkeys(ids, 0)], [True], [0])

    @classmethod
    def pattern(cls, expression: str, tokenizer: CharTokenizer, most_work: int = MAX_WORK) -> "Constraint":
        r"""Texts that a regular expression matches as a whole.

        Python's syntax except for anchors, back references and `\b`.

        Args:
            expression: the regular expression.
            tokenizer: of the recognizer.
            most_work: how much compiling it may take, in steps of half a microsecond.

        Raises:
            ConfigError: it is invalid or too expensive, or matches nothing that the recognizer can write.
        """
        name = f"pattern {_short(expression)!r}"
        try:
            steps, ends = automaton(expression, tokenizer.charset.characters, most_work)
        except TooLargeError:
            raise ConfigError(
                f"{name} is too expensive: it needs over {MAX_STATES} states, or takes too long to compile: "
                "simplify it, or shorten its repetitions"
            ) from None
        except Exception as error:  # the parser's own errors share no base class
            reason = str(error) or _wrong_syntax(expression)
            raise ConfigError(f"{name} cannot be used: {reason}") from None
        steps = [{place + 1: target for place, target in leads.items()} for leads in steps]
        left = _distances(steps, ends)
        if left[0] >= _NEVER:
            raise ConfigError(f"{name} allows nothing that this model can write: allow something else")
        return cls(steps, ends, left)

    @classmethod
    def lexicon(cls, words: Iterable[str], tokenizer: CharTokenizer) -> "Constraint":
        """One of these words, ignoring case: signs are often in capitals, lists are not.

        Words of more than 1,000 characters, or with characters that the recognizer cannot write, are left out.

        Raises:
            ConfigError: no words remain.
        """
        known = frozenset(tokenizer.charset.characters)
        texts = (tokenizer.charset.normalize(word) for word in words)
        trie = Trie({text for text in texts if 0 < len(text) <= _LONGEST and known.issuperset(text)}, tokenizer.charset)
        if not trie[0]:
            raise ConfigError("the list of words allows nothing that this model can write: allow something else")
        return cls(trie, trie.ends, trie.left)

    def accepts(self, ids: Iterable[int]) -> bool:
        """Whether the characters `ids` are allowed as a whole."""
        state = 0
        for i in ids:
            if i not in self.steps[state]:
                return False
            state = self.steps[state][i]
        return bool(self.ends[state])

    def choices(self, state: int, room: int, eos: int) -> list[int]:
        """The ids that may follow in `state` if `room` more characters fit; `eos` among them if the word may end."""
        ids = [i for i, target in self.steps[state].items() if self.left[target] < room]
        return [eos, *ids] if self.ends[state] else ids


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


def _wrong_syntax(expression: str) -> str:
    """What Python says of an expression that is none."""
    try:
        re.compile(expression)
    except re.error as error:
        return str(error)
    return "it has syntax that is not supported"


def _distances(steps: Sequence[Mapping[int, int]], ends: Sequence[bool]) -> list[int]:
    """Fewest characters from each state to an end."""
    sources: list[list[int]] = [[] for _ in steps]
    for state, leads in enumerate(steps):
        for target in set(leads.values()):
            sources[target].append(state)
    left = [0 if end else _NEVER for end in ends]
    queue = [state for state, end in enumerate(ends) if end]
    for state in queue:  # grows while it is walked: breadth first
        for source in sources[state]:
            if left[source] == _NEVER:
                left[source] = left[state] + 1
                queue.append(source)
    return left
