"""A CLIP4STR that runs in milliseconds."""

from wordsight.models.clip4str import Clip4StrConfig
from wordsight.models.config import DecoderConfig, ImageTowerConfig, TextTowerConfig
from wordsight.text import Charset, CharTokenizer

CHARSET = Charset("letters", "abcdefghij")


def small_config(**changes) -> Clip4StrConfig:
    parts = {
        "image": ImageTowerConfig(16, 32, patch=(8, 8), width=32, layers=2, heads=2),
        "text": TextTowerConfig(CharTokenizer(CHARSET).vocab_size, context=10, width=16, layers=1, heads=2),
        "decoder": DecoderConfig(heads=4, dropout=0.0),
        "embed_dim": 24,
        "charset": CHARSET,
        "max_length": 8,
    }
    return Clip4StrConfig(**(parts | changes))
