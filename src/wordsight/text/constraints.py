"""What a reading may be: only certain characters, a regular expression, one of a list of words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from wordsight.errors import ConfigError
from wordsight.text.lexicons import Trie
from wordsight.text.patterns import MAX_STATES, TooLargeError, automaton
from wordsight.text.tokenizer import CharTokenizer

LONGEST = 1000
"""Characters of a word in a list. No recognizer writes so many, and each more is another level of the automaton."""

NEVER = 2**31
"""Characters to the end of a word where there is no end."""


@dataclass(frozen=True, eq=False)
class Constraint:
    """A deterministic automaton over the ids of characters; a reading is a path from state 0 to a state in `ends`.

    Attributes:
        steps: of each state, which character id leads to which state.
        ends: of each state, whether a word may end there.
        left: of each state, how many characters are needed at least until a word may end.
    """

    steps: Sequence[Mapping[int, int]]
    ends: Sequence[bool]
    left: Sequence[int]

    @classmethod
    def of(
        cls, allow: str | None, pattern: str | None, lexicon: Iterable[str] | None, tokenizer: CharTokenizer
    ) -> "Constraint | None":
        """What one of the three ways to constrain a reading asks for, or None.

        Raises:
            ConfigError: there is more than one of them, or nothing that it allows can be written.
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
        """Any text of these characters, the empty one too.

        Raises:
            ConfigError: the recognizer can write none of them.
        """
        ids = {i for c in characters if c in tokenizer.charset for i in tokenizer.ids(c)}
        if not ids:
            raise ConfigError(f"this model can write none of the characters {characters!r}: allow others")
        return cls([dict.fromkeys(ids, 0)], [True], [0])

    @classmethod
    def pattern(cls, expression: str, tokenizer: CharTokenizer) -> "Constraint":
        r"""Texts that a regular expression matches as a whole.

        Python's syntax but for anchors, back references and `\b`, which are not known.

        Raises:
            ConfigError: it is none, or matches nothing that the recognizer can write.
        """
        name = f"pattern {expression if len(expression) <= 60 else expression[:57] + '...'!r}"
        try:
            steps, ends = automaton(expression, tokenizer.charset.characters)
        except TooLargeError:
            raise ConfigError(f"{name} needs an automaton of more than {MAX_STATES} states: simplify it") from None
        except Exception as error:  # the parser's own errors share no base class
            reason = str(error) or "its syntax is wrong"
            raise ConfigError(f"{name} cannot be used: {reason}") from None
        steps = [{place + 1: target for place, target in leads.items()} for leads in steps]
        left = _distances(steps, ends)
        if left[0] >= NEVER:
            raise ConfigError(f"{name} allows nothing that this model can write: allow something else")
        return cls(steps, ends, left)

    @classmethod
    def lexicon(cls, words: Iterable[str], tokenizer: CharTokenizer) -> "Constraint":
        """One of these words, each letter in either case: signs are often in capitals, lists are not.

        Words with characters that the recognizer cannot write are left out, and those of more than 1,000 characters.

        Raises:
            ConfigError: no word is left.
        """
        known = frozenset(tokenizer.charset.characters)
        texts = (tokenizer.charset.normalize(word) for word in words)
        trie = Trie({text for text in texts if 0 < len(text) <= LONGEST and known.issuperset(text)}, tokenizer.charset)
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
        """Which ids may come next in `state` where there is room for `room` more characters; `eos` where it may end."""
        ids = [i for i, target in self.steps[state].items() if self.left[target] < room]
        return [eos, *ids] if self.ends[state] else ids


def _distances(steps: Sequence[Mapping[int, int]], ends: Sequence[bool]) -> list[int]:
    """Fewest characters from each state to an end."""
    sources: list[list[int]] = [[] for _ in steps]
    for state, leads in enumerate(steps):
        for target in set(leads.values()):
            sources[target].append(state)
    left = [0 if end else NEVER for end in ends]
    queue = [state for state, end in enumerate(ends) if end]
    for state in queue:  # grows while it is walked: breadth first
        for source in sources[state]:
            if left[source] == NEVER:
                left[source] = left[state] + 1
                queue.append(source)
    return left
