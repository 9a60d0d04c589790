"""ABINet (arXiv 2103.06495)."""

from wordsight.models.abinet.config import ABINET_PRESETS, AbinetConfig
from wordsight.models.abinet.model import Abinet

__all__ = ["ABINET_PRESETS", "Abinet", "AbinetConfig"]
