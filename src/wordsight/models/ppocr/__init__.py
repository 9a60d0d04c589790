"""PP-OCRv6's networks (PaddleOCR, Apache-2.0): a pre-trained image tower that has seen millions of lines of text."""

from wordsight.models.layers.lcnet import LcNet, LcNetConfig
from wordsight.models.ppocr.decoder import WordDecoder, WordDecoderConfig
from wordsight.models.ppocr.detector import DB_PRESETS, Db, DbConfig
from wordsight.models.ppocr.glance import Glance, GlanceConfig
from wordsight.models.ppocr.model import SVTR_PRESETS, Svtr, SvtrConfig
from wordsight.models.ppocr.neck import NeckConfig, SvtrNeck

__all__ = [
    "DB_PRESETS",
    "SVTR_PRESETS",
    "Db",
    "DbConfig",
    "Glance",
    "GlanceConfig",
    "LcNet",
    "LcNetConfig",
    "NeckConfig",
    "Svtr",
    "SvtrConfig",
    "SvtrNeck",
    "WordDecoder",
    "WordDecoderConfig",
]
