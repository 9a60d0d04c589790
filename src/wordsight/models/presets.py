"""All recognizers by name, with their sizes."""

from typing import Any

from wordsight.errors import ConfigError
from wordsight.models.baselines import (
    ABINET_PRESETS,
    CRNN_PRESETS,
    TRBA_PRESETS,
    VITSTR_PRESETS,
    Abinet,
    Crnn,
    Trba,
    Vitstr,
)
from wordsight.models.clip4str import CLIP4STR_PRESETS, Clip4Str, clip4str_preset
from wordsight.models.config import DecoderConfig, ImageTowerConfig
from wordsight.models.parseq.model import Parseq, ParseqConfig
from wordsight.models.ppocr import SVTR_PRESETS, Svtr
from wordsight.text import Charset


def _parseq(width: int) -> ParseqConfig:
    """PARSeq in a DeiT of patches of 4x8 (arXiv 2207.06966, section 4.2 and its released configurations)."""
    tower = ImageTowerConfig(
        32,
        128,
        patch=(4, 8),
        class_token=False,
        width=width,
        layers=12,
        heads=width // 64,
        activation="gelu",
        norm_pre=False,
        norm_eps=1e-6,
    )
    return ParseqConfig(tower, DecoderConfig(heads=width // 32, packed_init=True), width, Charset.preset("94"))


def _parseq_compact() -> ParseqConfig:
    """clip4str-tiny without its cross-modal branch and its CTC loss."""
    tiny = clip4str_preset("clip4str-tiny")
    return ParseqConfig(tiny.image, tiny.decoder, tiny.embed_dim, Charset.preset("94"))


def _parseq_ppocr() -> ParseqConfig:
    """clip4str-ppocr without its cross-modal branch and its CTC loss."""
    whole = clip4str_preset("clip4str-ppocr")
    return ParseqConfig(whole.image, whole.decoder, whole.embed_dim, Charset.preset("94"))


PARSEQ_PRESETS: dict[str, ParseqConfig] = {
    "parseq-tiny": _parseq(192),
    "parseq-small": _parseq(384),
    "parseq-compact": _parseq_compact(),
    "parseq-ppocr": _parseq_ppocr(),
}
"""The paper's PARSeq-Ti and PARSeq-S, a compact one of our own, and one on PP-OCRv6's convolutions."""

_FAMILIES: tuple[tuple[Any, dict[str, Any]], ...] = (
    (Clip4Str, CLIP4STR_PRESETS),
    (Parseq, PARSEQ_PRESETS),
    (Crnn, CRNN_PRESETS),
    (Trba, TRBA_PRESETS),
    (Abinet, ABINET_PRESETS),
    (Vitstr, VITSTR_PRESETS),
    (Svtr, SVTR_PRESETS),
)

PRESETS: dict[str, tuple[Any, Any]] = {
    name: (recognizer, cfg) for recognizer, family in _FAMILIES for name, cfg in family.items()
}
"""Name to recognizer class and configuration."""


def preset(name: str) -> tuple[Any, Any]:
    """The recognizer class and the configuration of the preset called `name`: `cls(cfg)` builds it.

    Raises:
        ConfigError: there is no such preset.
    """
    if name not in PRESETS:
        raise ConfigError(f"no model is called {name!r}: choose one of {', '.join(PRESETS)}")
    return PRESETS[name]
