"""How word crops count in a benchmark; docs/measuring.md says the same in prose."""

from dataclasses import dataclass

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


def _all() -> list[Protocol]:
    listed = []
    for chars, what in (
        ("36", "digits and letters, case ignored"),
        ("62", "digits and letters, case counts"),
        ("94", "digits, letters and ASCII punctuation, case counts"),
    ):
        charset = Charset.preset(chars)
        listed.append(Protocol(chars, charset, summary=f"{what}; labels of any length"))
        listed.append(Protocol(f"parseq-{chars}", charset, 25, summary=f"{what}; labels up to 25, as PARSeq counts"))
    waics = "digits and letters, case ignored; every sample counts, as WAICS of Union14M (cite the arithmetic mean)"
    listed.append(Protocol("waics", Charset.preset("36"), keep_empty=True, summary=waics))
    exact = "printable ASCII with single spaces, case counts"
    listed.append(Protocol("exact", Charset.preset("94+space"), keep_empty=True, summary=exact))
    latin = "printable ASCII and the letters of Latin-1 with single spaces, case and accents count"
    listed.append(Protocol("latin", Charset.preset("latin"), keep_empty=True, summary=latin))
    return listed


PROTOCOLS: dict[str, Protocol] = {protocol.name: protocol for protocol in _all()}
"""All protocols by name."""
