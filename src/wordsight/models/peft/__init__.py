"""Parameter-efficient fine-tuning: a frozen tower, and few new weights beside or inside it."""

from wordsight.models.config import PeftConfig
from wordsight.models.peft.files import load_adapter, save_adapter
from wordsight.models.peft.ladder import Ladder
from wordsight.models.peft.towers import ClipAdapter, LoraLinear, add_lora, add_peft, merge_lora, merge_peft

__all__ = [
    "ClipAdapter",
    "Ladder",
    "LoraLinear",
    "PeftConfig",
    "add_lora",
    "add_peft",
    "load_adapter",
    "merge_lora",
    "merge_peft",
    "save_adapter",
]
