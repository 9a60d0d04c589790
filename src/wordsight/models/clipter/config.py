"""The configuration of CLIPTER."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from wordsight.errors import ConfigError
from wordsight.models.config import Config

Place: TypeAlias = Literal["early", "late"]
"""CLIPTER's early and late integration: in or after the visual encoder, or on the decoder's output."""

GateForm = Literal["convex", "additive"]


@dataclass(frozen=True)
class ClipterConfig(Config):
    """How a recognizer is conditioned on scenes. docs/clipter.md says which reading of the paper each option follows.

    Attributes:
        encoder: the frozen scene encoder, as `load_encoder` takes it; a trained recognizer needs its tokens.
        resolution: side of the square that scenes are resized to; None: what the encoder was trained for.
        centre_crop: crop scenes to the square in the middle instead of resizing all of them to it.
        kernel: k of the average pooling over the encoder's token grid; None is infinite: the [CLS] token alone.
        keep_cls: whether [CLS] stays beside pooled tokens (ours; the paper's text leaves it open).
        place: "early", in or after the visual encoder, or "late", on the decoder's output.
        early_block: fuse after this block (from 0) of the image tower instead of on the encoder's output.
        fusion: "gated" (gated attention), "mh-ca-mini" or "mh-ca-base" (multi-head cross-attention).
        keys: what MH-CA attends to: the scene, or the word's own features and the scene.
        gate_form: "convex", (1 - g) F + g A, is the paper's; "additive", F + g A, is the form of Flamingo and QA-ViT.
        clamp: keep g in 0..1. Without it tanh lets g below 0, where (1 - g) F + g A is no convex combination.
        box: add an embedding of the crop's position in its scene to the queries (ours).
        scene_dim: width of the scene tokens.
        gate_lr_scale: the gate learns this many times faster than the rest of its fusion (ours: at the small rates of
            fine-tuning one scalar would hardly move).

    Raises:
        ConfigError: an unknown choice, a size below 1, or options that contradict each other.
    """

    encoder: str = "random"
    resolution: int | None = None
    centre_crop: bool = False
    kernel: int | None = None
    keep_cls: bool = True
    place: Place = "early"
    early_block: int | None = None
    fusion: Literal["gated", "mh-ca-mini", "mh-ca-base"] = "gated"
    keys: Literal["scene", "word+scene"] = "scene"
    gate_form: GateForm = "convex"
    clamp: bool = False
    box: bool = False
    scene_dim: int = 128
    gate_lr_scale: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kernel is not None and self.kernel < 1:
            raise ConfigError(f"kernel {self.kernel} must be 1 or more; null is infinite, the [CLS] token alone")
        if self.scene_dim < 1:
            raise ConfigError(f"scene_dim {self.scene_dim} must be 1 or more: it is the width of the scene tokens")
        if self.early_block is not None and (self.place != "early" or self.early_block < 0):
            raise ConfigError(f"early_block {self.early_block} needs place 'early' and a block number from 0")
        if self.fusion == "gated" and self.keys != "scene":
            raise ConfigError("gated attention pools the scene and has no keys of the word: set keys to scene")
