"""How word crops count in a benchmark; docs/measuring.md says the same in prose."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from wordsight.errors import ConfigError
from wordsight.text import Charset


@dataclass(frozen=True)
class Protocol:
    """The rules by which labels and readings are compared.

    Attributes:
        name: its name in tables.
        charset: both sides are folded to it: to its only case, then characters outside it deleted.
        max_length: samples with longer labels are left out; counted before characters are deleted, as in PARSeq.
        keep_empty: whether samples count whose label has no character of the charset; a correct reading then has none
            either.
        summary: a one-line description.
    """

    name: str
    charset: Charset
    max_length: int | None = None
    keep_empty: bool = False
    summary: str = ""

    def label(self, given: str) -> str:
        """A label in the form that is compared: normalised for the charset, then folded to it."""
        return self.charset.adapt(self.charset.normalize(given))

    def reading(self, text: str) -> str:
        """A reading in the form that is compared: folded to the charset, but not normalised (like PARSeq)."""
        return self.charset.adapt(text)

    def reject(self, given: str) -> str:
        """Why a sample with this label is left out, or the empty string."""
        if self.max_length is not None and len(self.charset.normalize(given)) > self.max_length:
            return f"label over {self.max_length} characters"
        if not self.keep_empty and not self.label(given):
            return "label empty in this charset"
        return ""

    @classmethod
    def named(cls, name: str) -> "Protocol":
        """The protocol called `name`.

        Raises:
            ConfigError: there is none.
        """
        if name not in PROTOCOLS:
            raise ConfigError(f"no protocol is called {name!r}: choose from {', '.join(PROTOCOLS)}")
        return PROTOCOLS[name]


_LISTED = tomllib.loads(Path(__file__).with_name("protocols.toml").read_text(encoding="utf-8"))
PROTOCOLS: dict[str, Protocol] = {
    name: Protocol(name, **one | {"charset": Charset.preset(one["charset"])}) for name, one in _LISTED.items()
}
"""All protocols by name."""
