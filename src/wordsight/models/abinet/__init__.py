"""ABINet (arXiv 2103.06495)."""

from wordsight.models.abinet.model import ABINET_PRESETS, Abinet, AbinetConfig

__all__ = ["ABINET_PRESETS", "Abinet", "AbinetConfig"]
